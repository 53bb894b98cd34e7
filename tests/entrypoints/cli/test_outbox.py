"""The outbox as an operator sees it."""

import signal

import httpx
import psycopg

from tests.entrypoints.serving import address
from tests.support.command import COMMAND, run, running
from tests.support.server_process import free_port


def test_dead_letters_are_shown_and_sent_again(database_url: str) -> None:
    """`outbox status` gives the reason, `/readyz` warns, `outbox retry-dead` sends them again."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "INSERT INTO automation_outbox (tenant, id, kind, execution_id, attempt, body, dead_at,"
            " dead_reason) SELECT i, i, 'job', i, 1, '{}', now(), 'too large'"
            " FROM (SELECT gen_random_uuid() i) ids RETURNING id"
        ).fetchone()
    assert row
    before = run("outbox", "status", DATABASE_URL=database_url).stdout
    with running(
        [COMMAND, "serve", "--port", "0"],
        {"DATABASE_URL": database_url, "AUTOMATION_RETRY_RELAY": "false"},
    ) as serve:
        ready = httpx.get(f"{address(serve.until('serving'))}/readyz")
        serve.end(signal.SIGTERM)
    revived = run("outbox", "retry-dead", DATABASE_URL=database_url).stdout
    after = run("outbox", "status", DATABASE_URL=database_url).stdout

    assert "jobs for procrastinate: 0 waiting, 1 dead" in before
    assert (
        f"dead job {row[0]}  tenant {row[0]}  execution {row[0]}  attempt 1: too large\n" in before
    )
    assert ready.status_code == 200
    assert ready.json()["data"]["warnings"] == [
        "1 job messages were refused by their broker; see `automation-retry outbox status`."
    ]
    assert revived == "1 messages wait for delivery again\n"
    assert "jobs for procrastinate: 1 waiting, the oldest for" in after


def test_a_broker_that_is_never_reached_is_told(database_url: str) -> None:
    """`/readyz` warns and names broker, reason and age; `outbox status` shows the last error."""
    variables = {
        "DATABASE_URL": database_url,
        "AUTOMATION_RETRY_JOB_QUEUE": "redis",
        "AUTOMATION_RETRY_EVENT_BUS": "redis",
        "AUTOMATION_RETRY_REDIS_URL": f"redis://:secret@127.0.0.1:{free_port()}",
        "AUTOMATION_RETRY_DELIVERY_WARNING_S": "1",
    }
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO automation_outbox (tenant, id, kind, execution_id, attempt, body,"
            " enqueued_at) SELECT i, i, 'job', i, 1, '{}', now() - interval '2 minutes'"
            " FROM (SELECT gen_random_uuid() i) ids"
        )
    with running([COMMAND, "serve", "--port", "0"], variables) as serve:
        base = address(serve.until("serving"))
        serve.until("relay waits")
        ready = httpx.get(f"{base}/readyz")
        serve.end(signal.SIGTERM)
    shown = run("outbox", "status", **variables).stdout

    assert ready.status_code == 200
    [warning] = ready.json()["data"]["warnings"]
    assert warning.startswith("The oldest job message for redis has waited 12")
    assert "its delivery failed: Error" in warning
    assert "jobs for redis: 1 waiting, the oldest for 12" in shown
    assert "\n  not delivered " in shown
    assert "secret" not in warning + shown + "".join(serve.printed)
