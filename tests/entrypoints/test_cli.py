"""The command line, on a database of one's own."""

import asyncio
import re
import signal

import httpx
import psycopg
import pytest

from tests.entrypoints.command import COMMAND, run, running

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


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


def test_a_new_database_is_ready_after_three_commands(empty_database_url: str) -> None:
    """migrate, user create, api-key create: then the key works over HTTP."""
    migrated = run("migrate", DATABASE_URL=empty_database_url)
    user = run("user", "create", "ada", DATABASE_URL=empty_database_url)
    key = run("api-key", "create", "--user", "ada", DATABASE_URL=empty_database_url)
    again = run("migrate", DATABASE_URL=empty_database_url)

    with running([COMMAND, "serve", "--port", "0"], {"DATABASE_URL": empty_database_url}) as serve:
        answer = httpx.post(
            f"{address(serve.until('serving'))}/api/v1/automation/executions/"
            "00000000-0000-0000-0000-000000000000/retry",
            headers={"x-api-key": key.stdout.strip()},
        )
        status = serve.end(signal.SIGTERM)

    assert migrated.stdout.splitlines() == [
        "applied 0001_identity",
        "applied 0002_executions",
        "applied 0003_idempotency_keys",
        "applied 0004_outbox_key",
        "applied procrastinate",
    ]
    assert again.stdout == "up to date\n"
    assert re.fullmatch(rf"tenant  {UUID}\nuser    {UUID}  ada\n", user.stdout)
    assert answer.status_code == 404
    assert status == 0


def address(line: str) -> str:
    found = re.search(r"http://[^\"\s]+", line)
    assert found
    return found[0]


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


def test_memory_is_not_for_lasting_things() -> None:
    """Commands whose work would be gone at their end say so."""
    ended = run("user", "create", "ada", DATABASE_URL="memory:")

    assert ended.returncode == 1
    assert "memory: ends with this command" in ended.stderr


async def test_memory_serves_with_a_tenant_to_try() -> None:
    """`serve` on memory: prints a key and a curl line, since nobody could make one."""
    command = [COMMAND, "serve", "--port", "0"]
    with running(command, {"DATABASE_URL": "memory:"}) as serve:
        line = await asyncio.to_thread(serve.until, "curl -X POST")
        url, key = re.findall(r"(http\S+).*'x-api-key: (\S+)'", line)[0]
        async with httpx.AsyncClient() as client:
            answer = await client.post(url, headers={"x-api-key": key})
        status = await asyncio.to_thread(serve.end, signal.SIGTERM)

    assert answer.status_code == 200
    assert status == 0


def test_a_taken_port_is_said() -> None:
    """Nothing is started; the line names the port and what else there is."""
    with running([COMMAND, "serve", "--port", "0"], {"DATABASE_URL": "memory:"}) as serve:
        port = address(serve.until("serving")).rsplit(":", 1)[1]
        ended = run("serve", "--port", port, DATABASE_URL="memory:")
        serve.end(signal.SIGTERM)

    assert ended.returncode == 1
    assert f"Cannot listen on 127.0.0.1 port {port}: Address already in use" in ended.stderr


def test_several_workers_serve_one_address(database_url: str) -> None:
    """Each with its pool and its relay; SIGTERM ends them all with status 0."""
    run("user", "create", "ada", DATABASE_URL=database_url)
    key = run("api-key", "create", "--user", "ada", DATABASE_URL=database_url).stdout.strip()
    command = [COMMAND, "serve", "--port", "0", "--workers", "2"]
    with running(command, {"DATABASE_URL": database_url}) as serve:
        base = address(serve.until("serving"))
        transport = httpx.HTTPTransport(retries=30)
        with httpx.Client(base_url=base, transport=transport, timeout=60) as client:
            ready = client.get("/readyz")
            answer = client.post(
                "/api/v1/automation/executions/nonsense/retry", headers={"x-api-key": key}
            )
        status = serve.end(signal.SIGTERM)

    assert ready.status_code == 200
    assert answer.status_code == 400
    assert status == 0


def test_a_relay_alone_delivers(database_url: str) -> None:
    """What a service without a relay left in the outbox, `relay` hands over; SIGTERM ends it."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO automation_outbox (tenant, id, kind, execution_id, attempt, body)"
            " SELECT t, i, 'job', e, 1, jsonb_build_object('id', i, 'tenant', t,"
            " 'execution_id', e, 'automation_rule_id', e, 'attempt', 1,"
            " 'requested_at', '2026-11-23T12:00:00Z', 'requested_by', t)"
            " FROM (SELECT gen_random_uuid() t, gen_random_uuid() i, gen_random_uuid() e) ids"
        )
        with running([COMMAND, "relay"], {"DATABASE_URL": database_url}) as relay:
            relay.until("relayed")
            status = relay.end(signal.SIGTERM)
        waiting = connection.execute("SELECT count(*) FROM automation_outbox").fetchone()
        queued = connection.execute("SELECT queue_name FROM procrastinate_jobs").fetchall()

    assert status == 0
    assert waiting == (0,)
    assert queued == [("automation.executions",)]
