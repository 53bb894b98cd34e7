"""The settings of the nats broker, and the environment variables that they are read from."""

from typing import Any

import environ
import pytest

from automation_retry.adapters.environment import SettingsError
from automation_retry.adapters.nats.settings import NatsSettings
from automation_retry.adapters.nats.variables import NatsVariables

URL = "tls://user:secret@one"


def read(variables: dict[str, str]) -> NatsSettings:
    found: NatsVariables = environ.to_config(NatsVariables, variables)
    return found.settings()


def test_only_the_url_must_be_set() -> None:
    """The other variables have the defaults of the settings."""
    assert read({"AUTOMATION_RETRY_NATS_URL": URL}) == NatsSettings(servers=(URL,))


def test_every_variable_is_used() -> None:
    """The servers of a cluster are separated by commas."""
    settings = read(
        {
            "AUTOMATION_RETRY_NATS_URL": f"{URL}, nats://two",
            "AUTOMATION_RETRY_NATS_REPLICAS": "3",
            "AUTOMATION_RETRY_NATS_DUPLICATE_WINDOW_S": "300",
            "AUTOMATION_RETRY_NATS_SUBJECT_PREFIX": "acme.retries",
        }
    )

    assert settings == NatsSettings(
        servers=(URL, "nats://two"),
        replicas=3,
        duplicate_window_s=300,
        subject_prefix="acme.retries",
    )


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "AUTOMATION_RETRY_NATS_URL: is not set, and the nats broker needs it"),
        (
            {"AUTOMATION_RETRY_NATS_URL": f"{URL},http://:secret@two"},
            "AUTOMATION_RETRY_NATS_URL: must begin with nats:// or tls://",
        ),
        (
            {"AUTOMATION_RETRY_NATS_URL": URL, "AUTOMATION_RETRY_NATS_REPLICAS": "6"},
            "AUTOMATION_RETRY_NATS_REPLICAS: must be a whole number from 1 to 5, not '6'",
        ),
        (
            {"AUTOMATION_RETRY_NATS_URL": URL, "AUTOMATION_RETRY_NATS_SUBJECT_PREFIX": "a.*"},
            (
                "AUTOMATION_RETRY_NATS_SUBJECT_PREFIX: "
                "must be words of letters, digits, - and _ joined by dots, not 'a.*'"
            ),
        ),
    ],
)
def test_a_wrong_variable_is_refused_with_its_name(variables: dict[str, str], message: str) -> None:
    """The message never repeats a URL, which may hold a password."""
    with pytest.raises(SettingsError) as error:
        read(variables)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_prefix": "automation.*"},
        {"subject_prefix": "automation."},
        {"subject_prefix": ""},
        {"replicas": 0},
        {"duplicate_window_s": 0},
        {"event_max_age_s": 60},
        {"servers": ()},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(changes: dict[str, Any]) -> None:
    """At once, not when the first message is sent."""
    with pytest.raises(ValueError, match=next(iter(changes))):
        NatsSettings(**{"servers": ("nats://127.0.0.1",), **changes})
