"""Retries in bulk: units of work of several sizes, against one statement that does all in SQL.

Both deliver to Procrastinate, the service as shipped.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final, LiteralString
from uuid import uuid4

import uvloop
from attrs import frozen

from automation_retry.adapters.postgres.rows import execution_from
from automation_retry.adapters.postgres.sql.executions import GET_EXECUTIONS
from automation_retry.adapters.postgres.storage import PAYLOAD_LIMIT
from automation_retry.application import ExecutionJob, RetriedEvent
from automation_retry.domain import AUTOMATION_EXECUTE, Execution, Principal, utc_text
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.lifecycle import open_container
from automation_retry.entrypoints.settings import read_settings
from tests.benchmarks.arena import Arena, Arenas
from tests.benchmarks.failed_rows import TENANT, failed_execution
from tests.benchmarks.measured import Spread
from tests.benchmarks.plan import Plan
from tests.benchmarks.progress import tell
from tests.benchmarks.results import BulkRate
from tests.benchmarks.same_work import require_same_work

_STATEMENT: LiteralString = """
WITH wanted AS MATERIALIZED (
    SELECT tenant, execution_id FROM automation_executions
    WHERE tenant = %(tenant)s AND execution_id = ANY(%(ids)s) AND status = 'failed'
    ORDER BY tenant, execution_id
    FOR NO KEY UPDATE
), won AS (
    UPDATE automation_executions e
    SET status = 'pending', started_at = %(at)s, completed_at = NULL, duration_ms = NULL,
        actions_successful = 0, actions_failed = 0, error_message = NULL, error_stack = NULL,
        failed_action_index = NULL, retry_count = e.retry_count + 1
    FROM wanted
    WHERE e.tenant = wanted.tenant AND e.execution_id = wanted.execution_id
    RETURNING new.tenant, new.execution_id, new.automation_rule_id, new.retry_count,
              old.started_at, old.completed_at, old.duration_ms, old.actions_successful,
              old.actions_failed, old.error_message, old.error_stack, old.failed_action_index
), named AS MATERIALIZED (
    SELECT tenant, execution_id, automation_rule_id, retry_count, started_at, completed_at,
           duration_ms, actions_successful, actions_failed, error_message, error_stack,
           failed_action_index, gen_random_uuid() AS job_id, gen_random_uuid() AS event_id
    FROM won
), archived AS (
    INSERT INTO automation_failed_attempts (
        tenant, execution_id, attempt, retried_at, retried_by, api_key_id, request_id, started_at,
        completed_at, duration_ms, actions_successful, actions_failed, error_message, error_stack,
        failed_action_index
    )
    SELECT tenant, execution_id, retry_count, %(at)s, %(user_id)s, %(api_key_id)s, %(request_id)s,
           started_at, completed_at, duration_ms, actions_successful, actions_failed,
           error_message, error_stack, failed_action_index
    FROM named
), message AS (
    SELECT 'automation.executions' AS queue, 'automation.execute_execution' AS task,
           jsonb_build_object(
        'id', job_id, 'tenant', tenant, 'execution_id', execution_id,
        'automation_rule_id', automation_rule_id, 'attempt', retry_count,
        'requested_at', %(at_text)s::text, 'requested_by', %(user_id)s::uuid,
        'request_id', %(request_id)s::text
    ) AS body FROM named
    UNION ALL
    SELECT 'automation.events', 'automation.execution.retried', jsonb_build_object(
        'id', event_id, 'eventType', 'automation.execution.retried', 'timestamp', %(at_text)s::text,
        'payload', jsonb_build_object(
            'executionId', execution_id, 'tenantId', tenant, 'userId', %(user_id)s::uuid,
            'automationRuleId', automation_rule_id, 'attempt', retry_count,
            'apiKeyId', %(api_key_id)s::uuid, 'requestId', %(request_id)s::text
        )
    ) FROM named
), sent AS (
    SELECT procrastinate_defer_jobs_v1(array_agg(
        ROW(queue, task, 0, NULL, NULL, body, NULL)::procrastinate_job_to_defer_v1
    )) AS ids FROM message
)
SELECT won.execution_id FROM won, sent WHERE sent.ids IS NOT NULL
"""
_PRINCIPAL: Final = Principal(
    tenant=TENANT, user_id=uuid4(), api_key_id=uuid4(), permissions=frozenset({AUTOMATION_EXECUTE})
)

_Retry = Callable[[Container, Sequence[Execution]], Awaitable[None]]
"""Retries those executions in one unit of work."""


@frozen
class _Way:
    retry: _Retry
    callers: int = 1
    """Concurrent ones, each with one unit of work after the other."""


def measure(arenas: Arenas, plan: Plan) -> list[BulkRate]:
    """Units of work of each size, by one caller and by several."""
    return uvloop.run(_measure(arenas, plan))


async def _measure(arenas: Arenas, plan: Plan) -> list[BulkRate]:
    arena = arenas.new()
    alone, with_read = _Way(_unit_of_work), _Way(_read_and_unit_of_work)
    by_several, statement = _Way(_read_and_unit_of_work, callers=4), _Way(_one_statement)
    rates: dict[tuple[int, _Way], list[float]] = defaultdict(list)
    settings = read_settings({"DATABASE_URL": arena.url})
    async with open_container(settings, relay=True) as container:
        for number in range(plan.rounds):
            tell(f"bulk, round {number + 1} of {plan.rounds}")
            for size in plan.bulk_sizes:
                for way in (alone, with_read, by_several, statement):
                    rates[size, way].append(await _rate(plan, arena, container, size, way))
    arenas.drop(arena)
    return [
        BulkRate(
            executions=size,
            delivers=True,
            unit_of_work=Spread(rates[size, alone]),
            with_read=Spread(rates[size, with_read]),
            by_several=Spread(rates[size, by_several]),
            statement=Spread(rates[size, statement]),
        )
        for size in plan.bulk_sizes
    ]


async def _rate(plan: Plan, arena: Arena, container: Container, size: int, way: _Way) -> float:
    units = max(1, min(plan.bulk_units, plan.bulk_executions // size))
    await asyncio.to_thread(arena.reset, units * size)  # waits for claims of the relay
    executions = [failed_execution(number) for number in range(1, units * size + 1)]
    together = iter([executions[first : first + size] for first in range(0, units * size, size)])

    async def call() -> None:
        for some in together:
            await way.retry(container, some)

    began = time.perf_counter()
    await asyncio.gather(*[call() for _ in range(way.callers)])
    taken = time.perf_counter() - began
    await asyncio.to_thread(arena.wait_until_relayed)
    require_same_work(arena, len(executions), delivers=True)
    return len(executions) / taken


async def _unit_of_work(container: Container, executions: Sequence[Execution]) -> None:
    request_id = str(uuid4())
    async with container.storage().new_unit_of_work() as work:
        for execution in executions:
            retry = execution.retry(at=datetime.now(UTC), by=_PRINCIPAL, request_id=request_id)
            work.record(retry)
            work.queue.enqueue(ExecutionJob(id=uuid4(), retried=retry.event))
            work.events.publish(RetriedEvent(id=uuid4(), retried=retry.event))
        outcome = await work.commit()
        assert not outcome.lost, outcome.lost


async def _read_and_unit_of_work(container: Container, executions: Sequence[Execution]) -> None:
    ids = [execution.execution_id for execution in executions]
    rows = await container.database().fetch(
        GET_EXECUTIONS,
        {"tenants": [TENANT] * len(ids), "execution_ids": ids, "limit": PAYLOAD_LIMIT},
    )
    await _unit_of_work(container, [execution_from(row) for row in rows])


async def _one_statement(container: Container, executions: Sequence[Execution]) -> None:
    at = datetime.now(UTC)
    rows = await container.database().fetch_once(
        _STATEMENT,
        {
            "tenant": TENANT,
            "ids": [execution.execution_id for execution in executions],
            "at": at,
            "at_text": utc_text(at),
            "user_id": _PRINCIPAL.user_id,
            "api_key_id": _PRINCIPAL.api_key_id,
            "request_id": str(uuid4()),
        },
    )
    assert len(rows) == len(executions)
