"""How settings are found, in an environment or in any mapping."""

from pathlib import Path

import pytest

from automation_retry.entrypoints.settings import (
    SettingsError,
    StorageKind,
    read_settings,
    unknown_settings,
)

MEMORY = {"DATABASE_URL": "memory:"}
URL = "postgresql://ada:hunter2@db/automation"


def refusal(variables: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as error:
        read_settings(variables)
    assert "hunter2" not in str(error.value)
    return str(error.value)


def test_an_empty_variable_counts_as_unset() -> None:
    """As compose files and shell scripts leave them."""
    settings = read_settings({**MEMORY, "AUTOMATION_RETRY_LOG_LEVEL": " ", "REDIS_PREFIX": ""})

    assert settings.log_level == "info"
    assert "is not set" in refusal({"DATABASE_URL": ""})


def test_spaces_around_a_value_are_removed() -> None:
    """Also around a URL."""
    settings = read_settings({"DATABASE_URL": " memory: ", "AUTOMATION_RETRY_RELAY": " N\n"})

    assert settings.database_url.kind is StorageKind.MEMORY
    assert settings.relay is False


def test_a_secret_is_read_from_the_file_that_a_variable_names(tmp_path: Path) -> None:
    """Line feeds at its end do not belong to it."""
    file = tmp_path / "url"
    file.write_text(f"{URL}\n")
    redis = tmp_path / "redis"
    redis.write_text("redis://:hunter2@redis/1")

    settings = read_settings(
        {
            "DATABASE_URL_FILE": str(file),
            "AUTOMATION_RETRY_EVENT_BUS": "redis",
            "AUTOMATION_RETRY_REDIS_URL_FILE": str(redis),
        }
    )

    assert settings.database_url.text == URL
    assert settings.events.variables.url == "redis://:hunter2@redis/1"


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """With the variable that names it, and the reason."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"hunter2\xff")
    (tmp_path / "large").write_bytes(b"hunter2" * 10_000)

    problems = {
        name: refusal({"DATABASE_URL_FILE": str(tmp_path / name)})
        for name in ("missing", "empty", "binary", "large", "")
    }

    assert problems == {
        name: f"DATABASE_URL_FILE: {problem}"
        for name, problem in {
            "missing": f"cannot read '{tmp_path}/missing': No such file or directory",
            "empty": f"'{tmp_path}/empty' is empty",
            "binary": f"'{tmp_path}/binary' is not UTF-8",
            "large": f"'{tmp_path}/large' is larger than 65536 bytes",
            "": f"cannot read '{tmp_path}': Is a directory",
        }.items()
    }


def test_a_secret_in_two_places_is_refused(tmp_path: Path) -> None:
    """Nobody could tell which one is used."""
    (tmp_path / "url").write_text(URL)

    assert refusal({"DATABASE_URL": URL, "DATABASE_URL_FILE": str(tmp_path / "url")}) == (
        "DATABASE_URL: and DATABASE_URL_FILE are both set; unset one of them"
    )


def test_pool_sizes_that_contradict_each_other_are_told_with_both_names() -> None:
    """The smaller default gives way by itself."""
    most = "AUTOMATION_RETRY_POOL_MAX_SIZE"

    assert refusal({**MEMORY, "AUTOMATION_RETRY_POOL_MIN_SIZE": "11"}) == (
        f"AUTOMATION_RETRY_POOL_MIN_SIZE: 11 is more than {most}, which is 10"
    )
    assert read_settings({**MEMORY, most: "1"}).pool_min_size == 1


def test_a_misspelt_variable_is_found() -> None:
    """With what may be meant, if anything is similar; those of all brokers are known."""
    unknown = unknown_settings(
        {
            "AUTOMATION_RETRY_POOL_MAXSIZE": "5",
            "AUTOMATION_RETRY_COLOUR": "red",
            "AUTOMATION_RETRY_NATS_URL_FILE": "x",
            "PATH": "/bin",
        }
    )

    assert unknown == {
        "AUTOMATION_RETRY_COLOUR": None,
        "AUTOMATION_RETRY_POOL_MAXSIZE": "AUTOMATION_RETRY_POOL_MAX_SIZE",
    }


def test_a_misspelt_database_url_is_found() -> None:
    """It has no prefix by which it could be recognised, but it is needed."""
    assert refusal({"DATABASE_URI": URL}).endswith(
        "(DATABASE_URI is set: did you mean DATABASE_URL?)"
    )


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    """As Python reads them from the environment."""
    assert refusal({**MEMORY, "REDIS_PREFIX": "x", "AUTOMATION_RETRY_LOG_FORMAT": "\udcff"}) == (
        "AUTOMATION_RETRY_LOG_FORMAT: is not UTF-8"
    )


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://:hunter2/x@redis", "has no valid host and port"),
        ("redis://:hunter2@redis/one", "must end with the number of a database or nothing"),
        ("redis://:hunter2@redis?protocol=3", "may have only these options after the ?: client"),
        ("rediss://:hunter2@redis?ssl_cert_reqs=x", "has an option after the ? whose value is"),
        ("redis://:hunter2%00@redis", "contains a percent-encoded NUL"),
        ("redis://:hunter2%ff@redis", "contains percent-encoded bytes that are not UTF-8"),
        ("redis://:hunter2@one,redis://two", "must be one URL, of one host"),
        ("redis://:hunter2@one,two", "must be one URL, of one host"),
        ("unix://", "must name a socket"),
    ],
)
def test_a_wrong_url_of_redis_is_refused_at_start(url: str, problem: str) -> None:
    """Not when the first message is sent."""
    variables = {"AUTOMATION_RETRY_JOB_QUEUE": "REDIS", "AUTOMATION_RETRY_REDIS_URL": url}

    assert refusal(MEMORY | variables).startswith(f"AUTOMATION_RETRY_REDIS_URL: {problem}")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("nats://ada:hunter2%@nats", "has a % that begins no percent-encoding"),
        ("nats://:4222", "must name a host"),
        ("nats://ada:hunter2@nats/stream", "must end after host and port"),
    ],
)
def test_a_wrong_url_of_nats_is_refused_at_start(url: str, problem: str) -> None:
    """Not when the first message is sent."""
    variables = {"AUTOMATION_RETRY_JOB_QUEUE": "nats", "AUTOMATION_RETRY_NATS_URL": url}

    assert refusal(MEMORY | variables).startswith(f"AUTOMATION_RETRY_NATS_URL: {problem}")
