"""The commands `user …`, on a database without AlgaPSA."""

import json
import re

import httpx
import pytest

from tests.entrypoints.serving import address
from tests.support.command import COMMAND, run, running

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def test_a_name_that_exists_elsewhere_is_told(database_url: str) -> None:
    """A repeated command creates no second tenant; `--new-tenant` does."""
    run("user", "create", "ada", DATABASE_URL=database_url)

    again = run("user", "create", "ada", DATABASE_URL=database_url)
    one = run("user", "list", "--json", DATABASE_URL=database_url)
    wanted = run("user", "create", "ada", "--new-tenant", DATABASE_URL=database_url)
    two = run("user", "list", "--json", DATABASE_URL=database_url)

    [ada] = json.loads(one.stdout)
    assert again.returncode == 1
    assert again.stderr == (
        f"Error: A user 'ada' exists already in tenant {ada['tenant']}; say --tenant to choose "
        "one, or --new-tenant to create another user of that name.\n"
    )
    assert wanted.returncode == 0
    assert len({user["tenant"] for user in json.loads(two.stdout)}) == 2


def test_a_user_may_be_ensured_in_its_tenant(database_url: str) -> None:
    """With --tenant the command can be repeated, as by a script."""
    first = run("user", "create", "ada", "--json", DATABASE_URL=database_url)
    tenant = json.loads(first.stdout)["tenant"]

    again = run("user", "create", "ada", "--json", "--tenant", tenant, DATABASE_URL=database_url)

    assert json.loads(again.stdout) == json.loads(first.stdout)


def test_a_name_in_two_tenants_needs_the_tenant(database_url: str) -> None:
    """The error lists the tenants to choose from."""
    for _ in range(2):
        run("user", "create", "ada", "--new-tenant", DATABASE_URL=database_url)

    ended = run("api-key", "create", "--user", "ada", DATABASE_URL=database_url)

    assert ended.returncode == 1
    assert len(re.findall(UUID, ended.stderr)) == 2


def test_users_are_listed_with_what_they_may_do(database_url: str) -> None:
    """As a table, and as JSON."""
    run("user", "create", "ada", "--company", "Contoso", "--may", "read", DATABASE_URL=database_url)

    table = run("user", "list", DATABASE_URL=database_url).stdout.splitlines()
    [ada] = json.loads(run("user", "list", "--json", DATABASE_URL=database_url).stdout)

    assert [re.split(r"  +", line) for line in table] == [
        ["TENANT", "COMPANY", "USER", "NAME", "STATUS", "MAY"],
        [ada["tenant"], "Contoso", ada["user_id"], "ada", "active", "read"],
    ]
    assert ada == {
        "tenant": ada["tenant"],
        "user_id": ada["user_id"],
        "username": "ada",
        "company_name": "Contoso",
        "active": True,
        "may": ["read"],
    }


def test_a_user_is_granted_and_deactivated_at_once(database_url: str) -> None:
    """Its keys follow, while the service runs."""
    run("user", "create", "ada", "--may", "read", DATABASE_URL=database_url)
    key = run("api-key", "create", "--user", "ada", DATABASE_URL=database_url).stdout.strip()
    command = [COMMAND, "serve", "--port", "0"]
    with running(command, {"DATABASE_URL": database_url}) as serve:
        url = f"{address(serve.until('serving'))}/api/v1/automation/executions/none/retry"

        def status() -> int:
            return httpx.post(url, headers={"x-api-key": key}).status_code

        denied = status()
        granted = run("user", "grant", "ada", "--may", "execute", DATABASE_URL=database_url)
        allowed = status()
        deactivated = run("user", "deactivate", "ada", DATABASE_URL=database_url)
        refused = status()
        activated = run("user", "activate", "ada", DATABASE_URL=database_url)
        again = status()

    assert (denied, allowed, refused, again) == (403, 400, 401, 400)
    assert granted.stdout == "granted execute to ada\n"
    assert deactivated.stdout == "deactivated ada\n"
    assert activated.stdout == "activated ada\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", " "], "Invalid value for 'USERNAME': must not be blank."),
        (["create", "a" * 256], "must not be longer than 255 characters."),
        (
            ["create", "a\x1b[31m"],
            r"must be UTF-8 without control characters, not 'a\x1b[31m'.",
        ),
        (["create", "\udcff"], r"must be UTF-8 without control characters, not '\udcff'."),
        (["create", "ada", "--company", ""], "Invalid value for '--company': must not be blank."),
        (["create", "ada", "--tenant", "x"], "'x' is not a valid UUID."),
        (["grant", "ada"], "There is no user 'ada'; `automation-retry user create` creates one."),
        (["deactivate", "ada"], "There is no user 'ada'"),
    ],
)
def test_impossible_arguments_are_refused(
    database_url: str, arguments: list[str], message: str
) -> None:
    """Nothing is created, and no control character reaches the terminal."""
    ended = run("user", *arguments, DATABASE_URL=database_url)
    users = run("user", "list", "--json", DATABASE_URL=database_url).stdout

    assert ended.returncode in (1, 2)
    assert ended.stderr.endswith("\n")
    assert message in ended.stderr
    assert "\x1b" not in ended.stderr
    assert json.loads(users) == []
