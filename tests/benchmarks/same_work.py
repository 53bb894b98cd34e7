"""Checks that every contender does the whole work, without which its numbers mean nothing.

After each stretch of load as many executions and archived attempts must be stored as were counted,
with one job and one event for each, all delivered or all in the outbox; and the rows of one retry
must be what the domain decides for it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import orjson

from automation_retry.adapters.postgres.rows import attempt_from, execution_from
from automation_retry.adapters.wire.messages import body_of, event_message, job_message
from automation_retry.application import ExecutionJob, RetriedEvent
from automation_retry.domain import Principal
from automation_retry.entrypoints.http.executions.presenter import ExecutionPresenter
from automation_retry.entrypoints.http.wire.links import Links
from tests.benchmarks.arena import Arena
from tests.benchmarks.failed_rows import TENANT, failed_execution

_COUNTS: LiteralString = """
WITH retried AS (
    SELECT execution_id FROM automation_executions WHERE status = 'pending' AND retry_count = 1
)
SELECT (SELECT count(*) FROM retried) AS retried,
       (SELECT count(*) FROM automation_failed_attempts) AS archived,
       (SELECT count(*) FROM automation_outbox) AS waiting,
       (SELECT count(DISTINCT execution_id) FROM automation_outbox JOIN retried USING (execution_id)
        WHERE kind = 'job') AS jobs_waiting,
       (SELECT count(DISTINCT execution_id) FROM automation_outbox JOIN retried USING (execution_id)
        WHERE kind = 'event') AS events_waiting,
       (SELECT count(*) FROM procrastinate_jobs) AS delivered,
       (SELECT count(DISTINCT execution_id)
        FROM procrastinate_jobs JOIN retried ON execution_id = (args->>'execution_id')::uuid
        WHERE (queue_name, task_name, status)
              = ('automation.executions', 'automation.execute_execution', 'todo')
       ) AS jobs_delivered,
       (SELECT count(DISTINCT execution_id)
        FROM procrastinate_jobs
        JOIN retried ON execution_id = (args->'payload'->>'executionId')::uuid
        WHERE (queue_name, task_name, status)
              = ('automation.events', 'automation.execution.retried', 'todo')
       ) AS events_delivered
"""
_ONE: LiteralString = """
SELECT tenant, execution_id, automation_rule_id, status, started_at, completed_at, duration_ms,
       actions_total, actions_successful, actions_failed, error_message, error_stack,
       failed_action_index, trigger_data::text AS trigger_data,
       execution_context::text AS execution_context, logs::text AS logs, retry_count
FROM automation_executions WHERE retry_count = 1 LIMIT 1
"""
_ITS_ATTEMPTS: LiteralString = """
SELECT tenant, execution_id, attempt, retried_at, retried_by, api_key_id, request_id, started_at,
       completed_at, duration_ms, actions_successful, actions_failed, error_message, error_stack,
       failed_action_index
FROM automation_failed_attempts WHERE execution_id = %(execution_id)s
"""
# In the outbox or delivered; which of both is told by the counts.
_ITS_MESSAGES: LiteralString = """
WITH messages AS (
    SELECT body FROM automation_outbox UNION ALL SELECT args FROM procrastinate_jobs
)
SELECT body FROM messages
WHERE %(execution_id)s::text IN (body->>'execution_id', body->'payload'->>'executionId')
"""


class NotTheSameWork(Exception):
    """What a contender stored is not what it counted, or not what it should have stored."""


def require_same_work(arena: Arena, retried: int, *, delivers: bool) -> None:
    """Returns when exactly `retried` retries are stored, complete and as the domain decides them.

    With `delivers` each has exactly one Procrastinate job of each of the two tasks, and the outbox
    is empty; without, each has exactly one row of each kind in the outbox.

    Raises:
        NotTheSameWork: they are not.
    """
    waiting, delivered = (0, retried) if delivers else (retried, 0)
    expected_counts = {
        "retried": retried,
        "archived": retried,
        "waiting": 2 * waiting,
        "jobs_waiting": waiting,
        "events_waiting": waiting,
        "delivered": 2 * delivered,
        "jobs_delivered": delivered,
        "events_delivered": delivered,
    }
    _require_equal(arena.execute(_COUNTS)[0], expected_counts)
    row = arena.execute(_ONE)[0]
    execution = execution_from(row)
    attempts = arena.execute(_ITS_ATTEMPTS, row)
    attempt = attempt_from(attempts[0] | {"truncated": (), "out_of_range": None})
    bodies = [message["body"] for message in arena.execute(_ITS_MESSAGES, row)]
    assert execution.trigger_data
    assert execution.started_at
    number = int(execution.trigger_data.value()["ticketNumber"].removeprefix("TIC-"))
    expected = failed_execution(number).retry(
        at=execution.started_at,
        by=Principal(
            tenant=execution.tenant, user_id=attempt.retried_by, api_key_id=attempt.api_key_id
        ),
        request_id=attempt.request_id,
    )
    _require_equal(execution, expected.execution)
    _require_equal([attempt], [expected.failed_attempt])
    ids = {"eventType" in body: UUID(body["id"]) for body in bodies}
    event = event_message(RetriedEvent(id=ids[True], retried=expected.event))
    job = job_message(ExecutionJob(id=ids[False], retried=expected.event))
    _require_equal(sorted(bodies, key=len), [body_of(event), body_of(job)])


def require_same_answer(body: Mapping[str, Any], number: int) -> None:
    """Returns when the answer to the retry of that row has the fields of the service.

    Raises:
        NotTheSameWork: it has not.
    """
    started_at = datetime.fromisoformat(body["data"]["started_at"])
    retry = failed_execution(number).retry(
        at=started_at, by=Principal(tenant=TENANT, user_id=TENANT)
    )
    presenter = ExecutionPresenter(Links(rule_links=True))
    expected = orjson.loads(orjson.dumps(presenter.retried(retry.execution)))
    _require_equal(body, expected)


def _require_equal(found: Any, expected: Any) -> None:
    if found != expected:
        raise NotTheSameWork(f"stored:   {found}\nexpected: {expected}")
