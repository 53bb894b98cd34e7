"""SIGTERM: what is in flight is finished, what was claimed is given back, exit 0."""

import asyncio
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx
import psycopg
import pytest

from tests.entrypoints.serving import address
from tests.support.command import COMMAND, run, running
from tests.support.freezing_proxy import freezing_proxy
from tests.support.redis_server import running_redis

FAILED = (
    "INSERT INTO automation_executions (tenant, execution_id, automation_rule_id, status,"
    " started_at, actions_total) SELECT %s, gen_random_uuid(), gen_random_uuid(), 'failed', now(),"
    " 1 FROM generate_series(1, %s) RETURNING execution_id"
)


def a_tenant(database_url: str, executions: int) -> tuple[str, list[UUID]]:
    """A key and the ids of failed executions in its tenant."""
    tenant = run("user", "create", "ada", DATABASE_URL=database_url).stdout.split()[1]
    key = run("api-key", "create", "--user", "ada", DATABASE_URL=database_url).stdout.strip()
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(FAILED, (tenant, executions)).fetchall()
    return key, [row[0] for row in rows]


def retry(base: str, key: str, execution_id: UUID) -> httpx.Response:
    return httpx.post(
        f"{base}/api/v1/automation/executions/{execution_id}/retry",
        headers={"x-api-key": key},
        timeout=60,
    )


def accepts_connections(base: str) -> bool:
    try:
        httpx.get(f"{base}/healthz")
    except httpx.TransportError:  # refused, or reset when it still stood in the queue
        return False
    return True


def test_a_request_in_flight_is_finished(database_url: str) -> None:
    """A retry that waits for a row when SIGTERM comes is answered 200; then the process ends."""
    key, [execution] = a_tenant(database_url, 1)
    with (
        running([COMMAND, "serve", "--port", "0"], {"DATABASE_URL": database_url}) as serve,
        psycopg.connect(database_url) as blocker,
        psycopg.connect(database_url, autocommit=True) as watcher,
        ThreadPoolExecutor(1) as thread,
    ):
        base = address(serve.until("serving"))
        blocker.execute("SELECT FROM automation_executions FOR UPDATE")
        answer = thread.submit(retry, base, key, execution)
        while not watcher.execute(
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()"
        ).rowcount:
            pass
        serve.process.send_signal(signal.SIGTERM)
        while accepts_connections(base):
            pass
        blocker.rollback()
        status = serve.end(signal.SIGTERM)

    assert answer.result().status_code == 200
    assert status == 0


def test_several_relays_share_the_outbox(database_url: str) -> None:
    """Three relays deliver each of many messages once, between them."""
    key, executions = a_tenant(database_url, 60)
    variables = {"DATABASE_URL": database_url, "AUTOMATION_RETRY_RELAY_BATCH": "7"}
    with running(
        [COMMAND, "serve", "--port", "0"], {**variables, "AUTOMATION_RETRY_RELAY": "false"}
    ) as serve:
        base = address(serve.until("serving"))
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda one: retry(base, key, one), executions))
        serve.end(signal.SIGTERM)
    with (
        running([COMMAND, "relay"], variables) as first,
        running([COMMAND, "relay"], variables) as second,
        running([COMMAND, "relay"], variables) as third,
        psycopg.connect(database_url, autocommit=True) as connection,
    ):
        for relay in (first, second, third):
            relay.until("relaying")
        while connection.execute("SELECT FROM automation_outbox").rowcount:
            pass
        statuses = [one.end(signal.SIGTERM) for one in (first, second, third)]
        delivered = connection.execute(
            "SELECT queue_name, count(*), count(DISTINCT args ->> 'id') FROM procrastinate_jobs"
            " GROUP BY queue_name ORDER BY queue_name"
        ).fetchall()

    assert {answer.status_code for answer in answers} == {200}
    assert delivered == [("automation.events", 60, 60), ("automation.executions", 60, 60)]
    assert statuses == [0, 0, 0]


async def test_a_service_without_its_broker_accepts_and_ends_cleanly(database_url: str) -> None:
    """Retries are accepted while Redis is away; status shows what waits; it drains afterwards."""
    key, executions = await asyncio.to_thread(a_tenant, database_url, 3)
    with running_redis() as redis:
        redis.stop()
        variables = {
            "DATABASE_URL": database_url,
            "AUTOMATION_RETRY_JOB_QUEUE": "redis",
            "AUTOMATION_RETRY_EVENT_BUS": "redis",
            "AUTOMATION_RETRY_REDIS_URL": redis.url,
        }
        with running([COMMAND, "serve", "--port", "0"], variables) as serve:
            base = address(await asyncio.to_thread(serve.until, "serving"))
            answers = [await asyncio.to_thread(retry, base, key, one) for one in executions]
            waiting = await asyncio.to_thread(lambda: run("outbox", "status", **variables).stdout)
            redis.start()
            await asyncio.to_thread(serve.until, '"delivered": 3')
            await asyncio.to_thread(serve.until, '"delivered": 3')
            status = await asyncio.to_thread(serve.end, signal.SIGTERM)

    assert {answer.status_code for answer in answers} == {200}
    assert "jobs for redis: 3 waiting, the oldest for" in waiting
    assert "events for redis: 3 waiting, the oldest for" in waiting
    assert status == 0


async def test_a_request_that_is_cut_off_is_told_so(database_url: str) -> None:
    """Its outcome is unknown: 503 in the envelope with its id, and exit 0 soon after the grace."""
    key, [execution] = await asyncio.to_thread(a_tenant, database_url, 1)
    variables = {"DATABASE_URL": database_url, "AUTOMATION_RETRY_SHUTDOWN_GRACE_S": "1"}
    with (
        running([COMMAND, "serve", "--port", "0"], variables) as serve,
        psycopg.connect(database_url) as blocker,
    ):
        base = address(await asyncio.to_thread(serve.until, "serving"))
        blocker.execute("SELECT FROM automation_executions FOR UPDATE")
        answer = asyncio.create_task(asyncio.to_thread(retry, base, key, execution))
        while not await asyncio.to_thread(somebody_waits, database_url):
            pass
        status = await asyncio.to_thread(serve.end, signal.SIGTERM)
        answered = await answer

    assert answered.status_code == 503
    assert answered.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert answered.headers["x-request-id"]
    assert status == 0


def somebody_waits(database_url: str) -> bool:
    with psycopg.connect(database_url) as watcher:
        waiting = watcher.execute(
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()"
        )
        return waiting.rowcount > 0


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["relay"]])
async def test_a_stop_has_one_deadline(database_url: str, command: list[str]) -> None:
    """With every connection frozen, requests, relay and closing end together at the end of it."""
    key, [execution] = await asyncio.to_thread(a_tenant, database_url, 1)
    async with freezing_proxy(database_url) as proxy:
        variables = {
            "DATABASE_URL": proxy.url,
            "AUTOMATION_RETRY_SHUTDOWN_GRACE_S": "5",
            "AUTOMATION_RETRY_REQUEST_TIMEOUT_MS": "60000",
        }
        with running([COMMAND, *command], variables) as process:
            started = await asyncio.to_thread(process.until, command[0].rstrip("e") + "ing")
            proxy.freezes_new = True
            proxy.freeze()
            if command[0] == "serve":
                asking = asyncio.to_thread(retry, address(started), key, execution)
                answer = asyncio.create_task(asking)
                await asyncio.sleep(0.5)
            process.process.send_signal(signal.SIGTERM)
            # Less than two graces: requests, loops and connections do not have one each.
            status = await asyncio.to_thread(process.process.wait, 10)
            if command[0] == "serve":
                assert (await answer).status_code == 503
    assert status == 0


LOSING_ITS_LOOPS = """
import asyncio
from automation_retry.entrypoints import cli
from automation_retry.entrypoints.worker import Supervisor

async def end(self):
    await asyncio.sleep(0.2)

Supervisor.run = end
cli.main()
"""


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["relay"]])
def test_a_process_without_its_loops_ends(database_url: str, command: list[str]) -> None:
    """It would accept retries and deliver nothing; whoever started it starts it again."""
    with running(
        [sys.executable, "-c", LOSING_ITS_LOOPS, *command], {"DATABASE_URL": database_url}
    ) as process:
        process.until("background loops ended")
        status = process.process.wait(30)

    assert status == 1
