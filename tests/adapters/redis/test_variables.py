"""The environment variables of the redis broker."""

import environ
import pytest

from automation_retry.adapters.environment import SettingsError
from automation_retry.adapters.redis.settings import RedisSettings
from automation_retry.adapters.redis.variables import RedisVariables

URL = "rediss://user:secret@one"


def read(variables: dict[str, str]) -> RedisSettings:
    found: RedisVariables = environ.to_config(RedisVariables, variables)
    return found.settings()


def test_only_the_url_must_be_set() -> None:
    """The other variables have the defaults of the settings."""
    assert read({"AUTOMATION_RETRY_REDIS_URL": URL}) == RedisSettings(url=URL)


def test_every_variable_is_used() -> None:
    """Those of AlgaPSA have AlgaPSA's names."""
    settings = read(
        {
            "AUTOMATION_RETRY_REDIS_URL": URL,
            "REDIS_PREFIX": "acme:",
            "REDIS_EVENT_STREAM_PREFIX": "events:",
            "REDIS_STREAM_MAX_LENGTH": "5000",
        }
    )

    assert settings == RedisSettings(
        url=URL, prefix="acme:", stream_prefix="events:", stream_max_length=5000
    )


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "AUTOMATION_RETRY_REDIS_URL: is not set, and the redis broker needs it"),
        (
            {"AUTOMATION_RETRY_REDIS_URL": "http://:secret@one"},
            "AUTOMATION_RETRY_REDIS_URL: must begin with redis:// or rediss:// or unix://",
        ),
        (
            {"AUTOMATION_RETRY_REDIS_URL": f"{URL},{URL}"},
            "AUTOMATION_RETRY_REDIS_URL: must be one URL, of one host",
        ),
        (
            {"AUTOMATION_RETRY_REDIS_URL": URL, "REDIS_STREAM_MAX_LENGTH": "0"},
            "REDIS_STREAM_MAX_LENGTH: must be a whole number from 1 to 1000000000, not '0'",
        ),
    ],
)
def test_a_wrong_variable_is_refused_with_its_name(variables: dict[str, str], message: str) -> None:
    """The message never repeats a URL, which may hold a password."""
    with pytest.raises(SettingsError) as error:
        read(variables)
    assert str(error.value) == message
