"""The log of a running service."""

import json
import signal
from uuid import UUID

import httpx
import psycopg

from automation_retry.adapters.api_keys import digest
from tests.entrypoints.serving import address
from tests.support.command import COMMAND, run, running
from tests.support.nats_server import running_nats


def test_the_log_says_who_did_what_and_nothing_secret(database_url: str) -> None:
    """A line for each request and each relayed batch; no key, digest or value of an execution."""
    tenant = UUID(run("user", "create", "ada", DATABASE_URL=database_url).stdout.split()[1])
    key = run("api-key", "create", "--user", "ada", DATABASE_URL=database_url).stdout.strip()
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "INSERT INTO automation_executions (tenant, execution_id, automation_rule_id, status,"
            " started_at, actions_total, error_message, error_stack, trigger_data) VALUES (%s,"
            " gen_random_uuid(), gen_random_uuid(), 'failed', now(), 1, 'secret message',"
            """ 'secret stack', '{"secret": "trigger"}') RETURNING execution_id""",
            (tenant,),
        ).fetchone()
    assert row

    settings = {
        "DATABASE_URL": database_url,
        "AUTOMATION_RETRY_JOB_QUEUE": "nats",
        "AUTOMATION_RETRY_EVENT_BUS": "none",
    }
    with (
        running_nats() as nats,
        running(
            [COMMAND, "serve", "--port", "0"], settings | {"AUTOMATION_RETRY_NATS_URL": nats.url}
        ) as serve,
    ):
        base = address(serve.until("serving"))
        path = f"/api/v1/automation/executions/{row[0]}/retry"
        answer = httpx.post(base + path, headers={"x-api-key": key, "x-request-id": "r-1"})
        httpx.post(base + path, headers={"x-api-key": key + "wrong"})
        serve.until('"kind": "job"')
        serve.end(signal.SIGTERM)

    lines = [json.loads(line) for line in "".join(serve.printed).splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    written = "".join(serve.printed)
    assert answer.status_code == 200
    assert requests[0].items() >= {
        "request_id": "r-1",
        "tenant": str(tenant),
        "execution_id": str(row[0]),
        "status": 200,
        "method": "POST",
    }.items()  # fmt: skip
    assert requests[1]["reason"] == "there is no such key"
    assert {"job"} <= {line.get("kind") for line in lines if line["event"] == "relayed"}
    assert [secret for secret in (key, digest(key), "secret") if secret in written] == []
