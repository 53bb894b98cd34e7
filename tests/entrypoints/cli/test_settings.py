"""What the commands read from the environment."""

import pytest

from tests.support.command import run


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "DATABASE_URL: is not set; it must be `memory:`"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL: must be `memory:`"),
        (
            {"DATABASE_URL": "memory:", "AUTOMATION_RETRY_RELAY_BATCH": "lots"},
            "AUTOMATION_RETRY_RELAY_BATCH: must be a whole number from 1 to 10000, not 'lots'",
        ),
        (
            {"DATABASE_URL": "memory:", "RATE_LIMIT_ENFORCE": "maybe"},
            "RATE_LIMIT_ENFORCE: must be true or false, not 'maybe'",
        ),
        (
            {"DATABASE_URL": "memory:", "AUTOMATION_RETRY_JOB_QUEUE": "procrastinate"},
            "AUTOMATION_RETRY_JOB_QUEUE: procrastinate needs a PostgreSQL in DATABASE_URL",
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name(variables: dict[str, str], message: str) -> None:
    """One line on standard error, exit status 1, nothing served."""
    ended = run("serve", "--port", "0", **variables)

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"Error: {message}")
    assert ended.stderr.count("\n") == 1


def test_help_lists_every_setting_with_its_default() -> None:
    """`serve --help` is the reference of the environment."""
    shown = run("serve", "--help").stdout

    assert "DATABASE_URL (Required)" in shown
    assert "AUTOMATION_RETRY_POOL_MAX_SIZE (Optional, Default=10)" in shown
    assert "RATE_LIMIT_ENFORCE (Optional, Default=false)" in shown


def test_memory_is_not_for_lasting_things() -> None:
    """Commands whose work would be gone at their end say so."""
    ended = run("user", "create", "ada", DATABASE_URL="memory:")

    assert ended.returncode == 1
    assert "memory: ends with this command" in ended.stderr
