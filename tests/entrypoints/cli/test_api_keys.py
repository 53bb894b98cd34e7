"""The commands `api-key …`, on a database without AlgaPSA."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import psycopg
import pytest

from tests.support.command import COMMAND, environment, run

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture
def url(database_url: str) -> str:
    """A database with the user ada."""
    run("user", "create", "ada", DATABASE_URL=database_url)
    return database_url


def keys(url: str) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(
        run("api-key", "list", "--json", DATABASE_URL=url).stdout
    )
    return listed


def test_a_key_is_shown_once(url: str) -> None:
    """It is stored nowhere; the list shows all but the key."""
    key = run("api-key", "create", "--user", "ada", DATABASE_URL=url).stdout.strip()
    as_json = run("api-key", "create", "--user", "ada", "--json", DATABASE_URL=url).stdout
    listed = run("api-key", "list", DATABASE_URL=url).stdout

    with psycopg.connect(url) as connection:
        stored = str(connection.execute("SELECT api_keys.* FROM api_keys").fetchall())
    assert re.fullmatch(r"ar_[A-Za-z0-9_-]{43}", key)
    assert re.fullmatch(r"ar_[A-Za-z0-9_-]{43}", json.loads(as_json)["api_key"])
    assert key not in stored + listed
    assert json.loads(as_json)["api_key"] not in stored + listed


def test_a_revoked_key_is_listed_as_revoked(url: str) -> None:
    """By the id in the list."""
    run("api-key", "create", "--user", "ada", "--usage-limit", "5", DATABASE_URL=url)
    before = run("api-key", "list", DATABASE_URL=url).stdout
    found = re.search(UUID, before)
    assert found

    revoked = run("api-key", "revoke", found[0], DATABASE_URL=url)
    after = run("api-key", "list", DATABASE_URL=url).stdout

    assert "  active  " in before
    assert "  0/5  " in before
    assert revoked.stdout == f"revoked {found[0]}\n"
    assert "  revoked  " in after


def test_the_status_says_whether_a_key_is_valid(url: str) -> None:
    """Expired, used up, and the user's own."""
    for description in ("expired", "used up", "valid"):
        run(
            *("api-key", "create", "--user", "ada", "--description", description),
            *("--usage-limit", "5", "--expires-at", "2100-01-01"),
            DATABASE_URL=url,
        )
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE api_keys SET expires_at = now() WHERE description = 'expired'")
        connection.execute("UPDATE api_keys SET usage_count = 5 WHERE description = 'used up'")

    before = {key["description"]: key["status"] for key in keys(url)}
    run("user", "deactivate", "ada", DATABASE_URL=url)
    after = {key["description"]: key["status"] for key in keys(url)}

    assert before == {"expired": "expired", "used up": "used up", "valid": "active"}
    assert after == {"expired": "expired", "used up": "used up", "valid": "user inactive"}


def test_a_key_that_could_not_be_printed_is_not_kept(url: str) -> None:
    """On a full disk, and for a reader that has ended; and nobody sees a traceback."""
    command = [COMMAND, "api-key", "create", "--user", "ada"]
    variables = environment({"DATABASE_URL": url})
    with open("/dev/full", "w") as full:  # noqa: PTH123
        on_full_disk = subprocess.run(
            command, env=variables, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    reading, writing = os.pipe()
    os.close(reading)
    without_reader = subprocess.run(
        command, env=variables, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    closed = subprocess.run(
        ["sh", "-c", f"{' '.join(command)} >&-"],
        env=variables,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert on_full_disk.returncode == 1
    assert on_full_disk.stderr == "Error: Cannot write the output: No space left on device\n"
    assert (without_reader.returncode, without_reader.stderr) == (1, "")
    assert closed.returncode == 1
    assert "no standard output" in closed.stderr
    assert keys(url) == []


@pytest.mark.parametrize("blocking", [True, False])
def test_a_key_that_nobody_reads_is_not_kept(url: str, *, blocking: bool) -> None:
    """The pipe is full: the command waits until it is ended, or the pipe refuses the key."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    for size in (4096, 1):
        with suppress(BlockingIOError):
            while True:
                os.write(writing, b" " * size)
    os.set_blocking(writing, blocking)
    with subprocess.Popen(
        [COMMAND, "api-key", "create", "--user", "ada"],
        env=environment({"DATABASE_URL": url}),
        stdout=writing,
        stderr=subprocess.PIPE,
    ) as process:
        if blocking:
            until(lambda: bool(keys(url)))
            process.terminate()
        status = process.wait(timeout=60)
    os.close(reading)
    os.close(writing)

    assert status == (143 if blocking else 1)
    assert keys(url) == []


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 20
    while not condition():
        assert monotonic() < deadline


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "--user", "nobody"], "There is no user 'nobody'"),
        (["revoke", "00000000-0000-0000-0000-000000000000"], "There is no API key"),
        (["create", "--user", "ada", "--usage-limit", "2147483648"], "is not in the range"),
        (["create", "--user", "ada", "--expires-at", "2020-01-01"], "'2020-01-01' is in the past"),
        (["create", "--user", "ada", "--expires-at", "0001-01-01"], "'0001-01-01' is"),
        (["create", "--user", "ada", "--description", "\t"], "must not be blank"),
    ],
)
def test_impossible_arguments_are_refused(url: str, arguments: list[str], message: str) -> None:
    """A line that says what is wrong, and no key."""
    ended = run("api-key", *arguments, DATABASE_URL=url)

    assert ended.returncode in (1, 2)
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert keys(url) == []
