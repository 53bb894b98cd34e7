"""Every contender does the whole work, or its numbers mean nothing.

After each stretch of load as many executions, archived attempts and messages must be stored as
were counted, and the rows of one retry must be what the domain decides for it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import orjson

from automation_retry.adapters.json_codec import message_body
from automation_retry.adapters.postgres.rows import from_row
from automation_retry.application import ExecutionJob, RetriedEvent
from automation_retry.domain import Execution, FailedAttempt, Principal
from automation_retry.entrypoints.http.bodies import Bodies
from tests.benchmarks.arena import Arena
from tests.benchmarks.failed_rows import TENANT, failed_execution

_COUNTS: LiteralString = """
SELECT (SELECT count(*) FROM automation_executions
        WHERE status = 'pending' AND retry_count = 1) AS retried,
       (SELECT count(*) FROM automation_failed_attempts) AS archived,
       (SELECT count(*) FROM automation_outbox)
       + (SELECT count(*) FROM procrastinate_jobs) AS messages
"""
_ONE: LiteralString = "SELECT * FROM automation_executions WHERE retry_count = 1 LIMIT 1"
_ITS_ATTEMPTS: LiteralString = """
SELECT * FROM automation_failed_attempts WHERE execution_id = %(execution_id)s
"""
# The relay may have handed them over to Procrastinate.
_ITS_MESSAGES: LiteralString = """
WITH messages AS (
    SELECT body FROM automation_outbox UNION ALL SELECT args FROM procrastinate_jobs
)
SELECT body FROM messages
WHERE %(execution_id)s::text IN (body->>'execution_id', body->'payload'->>'executionId')
"""


class NotTheSameWork(Exception):
    """A contender left something else behind than it said, or than it should."""


def require_same_work(arena: Arena, retried: int) -> None:
    """Returns when exactly `retried` retries are stored, whole and as the domain has them.

    Raises:
        NotTheSameWork: they are not.
    """
    counted = arena.execute(_COUNTS)[0]
    _require_equal(counted, {"retried": retried, "archived": retried, "messages": 2 * retried})
    row = arena.execute(_ONE)[0]
    execution = from_row(row, Execution)
    attempts = arena.execute(_ITS_ATTEMPTS, row)
    attempt = from_row(attempts[0], FailedAttempt)
    bodies = [message["body"] for message in arena.execute(_ITS_MESSAGES, row)]
    number = int(execution.trigger_data["ticketNumber"].removeprefix("TIC-"))
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
    job = ExecutionJob(
        id=ids[False],
        tenant=expected.event.tenant,
        execution_id=expected.event.execution_id,
        automation_rule_id=expected.event.automation_rule_id,
        attempt=expected.event.attempt,
        requested_at=expected.event.retried_at,
        requested_by=expected.event.retried_by,
        request_id=attempt.request_id,
    )
    event = RetriedEvent(id=ids[True], retried=expected.event)
    expected_bodies = [message_body(event), message_body(job)]
    _require_equal(sorted(bodies, key=len), expected_bodies)


def require_same_answer(body: Mapping[str, Any], number: int) -> None:
    """Returns when the answer to the retry of that row has the fields of the service.

    Raises:
        NotTheSameWork: it has not.
    """
    started_at = datetime.fromisoformat(body["data"]["started_at"])
    retry = failed_execution(number).retry(
        at=started_at, by=Principal(tenant=TENANT, user_id=TENANT)
    )
    expected = orjson.loads(orjson.dumps(Bodies.new(rule_links=True).retried(retry.execution)))
    _require_equal(body, expected)


def _require_equal(found: Any, expected: Any) -> None:
    if found != expected:
        raise NotTheSameWork(f"stored:   {found}\nexpected: {expected}")
