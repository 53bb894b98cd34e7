"""Users and API keys, on a database of one's own."""

import re

import psycopg
import pytest

from tests.support.command import run

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def test_a_revoked_key_is_listed_as_revoked(database_url: str) -> None:
    """The key itself is shown once and stored nowhere; the list shows all but the key."""
    run("user", "create", "ada", "--may", "read", DATABASE_URL=database_url)
    key = run(
        "api-key", "create", "--user", "ada", "--usage-limit", "5", DATABASE_URL=database_url
    ).stdout.strip()
    before = run("api-key", "list", DATABASE_URL=database_url).stdout
    found = re.match(UUID, before)
    assert found

    revoked = run("api-key", "revoke", found[0], DATABASE_URL=database_url)
    after = run("api-key", "list", DATABASE_URL=database_url).stdout

    with psycopg.connect(database_url) as connection:
        stored = str(connection.execute("SELECT api_keys.* FROM api_keys").fetchall())
    assert " active " in before
    assert "uses 0/5" in before
    assert revoked.stdout == f"revoked {found[0]}\n"
    assert " revoked " in after
    assert key not in stored + before + after


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["api-key", "create", "--user", "nobody"], "There is no user 'nobody'"),
        (["api-key", "revoke", "00000000-0000-0000-0000-000000000000"], "There is no API key"),
    ],
)
def test_what_is_not_there_is_said(database_url: str, arguments: list[str], message: str) -> None:
    """Exit status 1 and a line that says what is missing."""
    ended = run(*arguments, DATABASE_URL=database_url)

    assert ended.returncode == 1
    assert message in ended.stderr


def test_a_name_in_two_tenants_needs_the_tenant(database_url: str) -> None:
    """The error lists the tenants to choose from."""
    for _ in range(2):
        run("user", "create", "ada", DATABASE_URL=database_url)

    ended = run("api-key", "create", "--user", "ada", DATABASE_URL=database_url)

    assert ended.returncode == 1
    assert len(re.findall(UUID, ended.stderr)) == 2
