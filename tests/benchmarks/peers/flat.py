"""The retry as one script of Starlette and psycopg: same guarantees, by hand, nothing else.

Two reads and one write as in the service, but with everything inlined for this one endpoint: no
floors, no ports, no value objects, and PostgreSQL 18's `RETURNING old` for the archive. Job and
event stay in the outbox; `flat_delivering` is the same script with a statement that delivers them.
"""

import asyncio
import hashlib
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID, uuid4

import orjson
import psycopg
import uvicorn
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

AUTHENTICATE: LiteralString = """
WITH counted AS (
    UPDATE api_keys SET usage_count = usage_count + 1, last_used_at = now()
    WHERE api_key = %(digest)s AND active AND coalesce(expires_at > now(), true)
      AND usage_count < usage_limit
    RETURNING api_key_id
)
SELECT k.tenant, k.api_key_id, k.user_id,
       k.usage_limit IS NULL
           AND coalesce(k.last_used_at < now() - interval '1 minute', true) AS touch,
       EXISTS (
           SELECT FROM user_roles ur
           JOIN role_permissions rp ON rp.tenant = ur.tenant AND rp.role_id = ur.role_id
           JOIN permissions p ON p.tenant = rp.tenant AND p.permission_id = rp.permission_id
           WHERE ur.tenant = k.tenant AND ur.user_id = k.user_id
             AND p.resource = 'automation' AND p.action = 'execute'
       ) AS may_execute
FROM api_keys k JOIN users u ON u.tenant = k.tenant AND u.user_id = k.user_id
WHERE k.api_key = %(digest)s AND k.active AND coalesce(k.expires_at > now(), true)
  AND NOT u.is_inactive AND (k.usage_limit IS NULL OR EXISTS (SELECT FROM counted))
"""
TOUCH: LiteralString = """
UPDATE api_keys SET last_used_at = now() WHERE tenant = %(tenant)s AND api_key_id = %(api_key_id)s
"""
READ: LiteralString = """
SELECT execution_id, automation_rule_id, trigger_data, status, started_at, completed_at,
       duration_ms, actions_total, actions_successful, actions_failed, error_message, error_stack,
       failed_action_index, execution_context, logs, tenant, retry_count
FROM automation_executions WHERE tenant = %(tenant)s AND execution_id = %(execution_id)s
"""
CHANGE: LiteralString = """
WITH won AS (
    UPDATE automation_executions
    SET status = 'pending', started_at = %(at)s, completed_at = NULL, duration_ms = NULL,
        actions_successful = 0, actions_failed = 0, error_message = NULL, error_stack = NULL,
        failed_action_index = NULL, retry_count = retry_count + 1
    WHERE tenant = %(tenant)s AND execution_id = %(execution_id)s
      AND status = 'failed' AND retry_count = %(retry_count)s
    RETURNING new.tenant, new.execution_id, new.retry_count, old.started_at, old.completed_at,
              old.duration_ms, old.actions_successful, old.actions_failed, old.error_message,
              old.error_stack, old.failed_action_index
), archived AS (
    INSERT INTO automation_failed_attempts (
        tenant, execution_id, attempt, retried_at, retried_by, api_key_id, request_id, started_at,
        completed_at, duration_ms, actions_successful, actions_failed, error_message, error_stack,
        failed_action_index
    )
    SELECT tenant, execution_id, retry_count, %(at)s, %(user_id)s, %(api_key_id)s, %(request_id)s,
           started_at, completed_at, duration_ms, actions_successful, actions_failed,
           error_message, error_stack, failed_action_index
    FROM won
), sent AS (
"""
WRITE: LiteralString = f"""{CHANGE}
    INSERT INTO automation_outbox (tenant, id, kind, execution_id, attempt, body)
    SELECT tenant, message.id, message.kind, execution_id, retry_count, message.body
    FROM won, (VALUES (%(job_id)s::uuid, 'job', %(job)s::jsonb),
                      (%(event_id)s::uuid, 'event', %(event)s::jsonb)) message (id, kind, body)
)
SELECT retry_count FROM won
"""

EXECUTION_ID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
BURST, NS_PER_TOKEN = 120, 1_000_000_000
CLEARED = {
    "completed_at": None,
    "duration_ms": None,
    "actions_successful": 0,
    "actions_failed": 0,
    "error_message": None,
    "error_stack": None,
    "failed_action_index": None,
}

pool: AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]
full_at: dict[UUID, int] = {}
touches: set[asyncio.Task[Any]] = set()


async def execute(statement: LiteralString, parameters: dict[str, Any]) -> DictRow | None:
    async with pool.connection() as connection:
        cursor = await connection.execute(statement, parameters)
        return await cursor.fetchone() if cursor.description else None


def error(status: int, code: str, message: str, headers: dict[str, str]) -> Response:
    body = orjson.dumps({"error": {"code": code, "message": message}})
    return Response(body, status, headers, "application/json")


def remaining_tokens(api_key_id: UUID) -> int:
    now = time.monotonic_ns()
    full = max(full_at.get(api_key_id, 0), now) + NS_PER_TOKEN
    room = now + BURST * NS_PER_TOKEN - full
    if room >= 0:
        full_at[api_key_id] = full
    return max(0, room // NS_PER_TOKEN)


async def answer(  # noqa: PLR0911 - flat on purpose
    request: Request, request_id: str, headers: dict[str, str]
) -> Response:
    api_key = request.headers.get("x-api-key")
    if not api_key:
        return error(401, "UNAUTHORIZED", "API key required", headers)
    digest = hashlib.sha256(api_key.encode()).hexdigest()
    caller = await execute(AUTHENTICATE, {"digest": digest})
    if caller is None:
        return error(401, "UNAUTHORIZED", "Invalid API key", headers)
    if caller["touch"]:
        task = asyncio.create_task(execute(TOUCH, dict(caller)))
        touches.add(task)
        task.add_done_callback(touches.discard)
    headers["x-ratelimit-limit"] = str(BURST)
    headers["x-ratelimit-remaining"] = str(remaining_tokens(caller["api_key_id"]))
    if not caller["may_execute"]:
        message = "Permission denied: Cannot execute automation"
        return error(403, "FORBIDDEN", message, headers)
    text = request.path_params["execution_id"]
    if not EXECUTION_ID.fullmatch(text):
        return error(400, "VALIDATION_ERROR", "Invalid automation ID format", headers)
    row = await execute(READ, {"tenant": caller["tenant"], "execution_id": UUID(text)})
    if row is None:
        return error(404, "NOT_FOUND", "Execution not found", headers)
    if row["status"] != "failed":
        message = "Only failed executions can be retried"
        return error(400, "BAD_REQUEST", message, headers)
    now = datetime.now(UTC)
    at = now.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    job_id, event_id = uuid4(), uuid4()
    attempt = row["retry_count"] + 1
    execution_id, rule = str(row["execution_id"]), str(row["automation_rule_id"])
    tenant, user_id = str(caller["tenant"]), str(caller["user_id"])
    job = {
        "id": str(job_id),
        "tenant": tenant,
        "execution_id": execution_id,
        "automation_rule_id": rule,
        "attempt": attempt,
        "requested_at": at,
        "requested_by": user_id,
        "request_id": request_id,
    }
    event = {
        "id": str(event_id),
        "eventType": "automation.execution.retried",
        "timestamp": at,
        "payload": {
            "executionId": execution_id,
            "tenantId": tenant,
            "userId": user_id,
            "automationRuleId": rule,
            "attempt": attempt,
            "apiKeyId": str(caller["api_key_id"]),
            "requestId": request_id,
        },
    }
    won = await execute(
        request.app.state.write,
        {
            "tenant": caller["tenant"],
            "execution_id": row["execution_id"],
            "retry_count": row["retry_count"],
            "at": now,
            "user_id": caller["user_id"],
            "api_key_id": caller["api_key_id"],
            "request_id": request_id,
            "job_id": job_id,
            "job": orjson.dumps(job).decode(),
            "event_id": event_id,
            "event": orjson.dumps(event).decode(),
        },
    )
    if won is None:
        return error(409, "CONFLICT", "The execution changed meanwhile", headers)
    path = f"/api/v1/automation/executions/{execution_id}"
    links = {"execution": path, "rule": f"/api/v1/automation/rules/{rule}"}
    data = row | CLEARED | {"status": "pending", "started_at": at, "retry_count": attempt}
    body = orjson.dumps({"data": data | {"_links": links}})
    return Response(body, 200, headers, "application/json")


async def retry(request: Request) -> Response:
    began = time.perf_counter()
    request_id = request.headers.get("x-request-id") or str(uuid4())
    response = await answer(request, request_id, {"x-request-id": request_id})
    line = {
        "event": "request",
        "method": request.method,
        "path": request.url.path,
        "status": response.status_code,
        "duration_ms": round(1000 * (time.perf_counter() - began), 3),
        "request_id": request_id,
        "timestamp": datetime.now(UTC),
    }
    print(orjson.dumps(line).decode(), file=sys.stderr, flush=True)  # noqa: T201
    return response


async def configure(connection: psycopg.AsyncConnection[DictRow]) -> None:
    set_json_loads(orjson.loads, connection)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    global pool
    async with AsyncConnectionPool(
        os.environ["DATABASE_URL"],
        connection_class=psycopg.AsyncConnection[DictRow],
        kwargs={"autocommit": True, "row_factory": dict_row},
        min_size=2,
        max_size=10,
        timeout=5,
        configure=configure,
    ) as pool:
        yield


def serve(write: LiteralString) -> None:
    """Serves on the port that the command line names; `write` is the statement that retries."""
    app = Starlette(
        routes=[
            Route("/api/v1/automation/executions/{execution_id}/retry", retry, methods=["POST"])
        ],
        lifespan=lifespan,
    )
    app.state.write = write
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        lifespan="on",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
    )


if __name__ == "__main__":
    serve(WRITE)
