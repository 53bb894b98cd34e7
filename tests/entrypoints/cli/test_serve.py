"""`serve`, `relay` and `migrate`."""

import asyncio
import re
import signal

import httpx
import psycopg

from tests.entrypoints.serving import address
from tests.support.command import COMMAND, run, running

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


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
        "applied 0005_delivery_status",
        "applied 0006_rows_as_they_are",
        "applied 0007_failure_groups",
        "applied 0008_bulk_retry",
        "applied automation_retry_executions_started",
        "applied automation_retry_executions_rule",
        "applied automation_retry_executions_failed",
        "applied automation_retry_executions_group",
        "applied procrastinate",
    ]
    assert again.stdout == "up to date\n"
    assert re.fullmatch(rf"tenant  {UUID}\nuser    {UUID}  ada\n", user.stdout)
    assert answer.status_code == 404
    assert status == 0


async def test_memory_serves_with_a_tenant_to_try() -> None:
    """`serve` on memory: prints a key and a curl line, since nobody could make one."""
    command = [COMMAND, "serve", "--port", "0", "--root-path", "/psa"]
    with running(command, {"DATABASE_URL": "memory:"}) as serve:
        line = await asyncio.to_thread(serve.until, "curl -X POST")
        url, key = re.findall(r"(http\S+).*'x-api-key: (\S+)'", line)[0]
        async with httpx.AsyncClient() as client:
            answer = await client.post(url, headers={"x-api-key": key})
        status = await asyncio.to_thread(serve.end, signal.SIGTERM)

    assert answer.status_code == 200
    assert answer.json()["data"]["_links"]["execution"].startswith("/psa/api/v1/")
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
