"""Messages in the outbox as retries write them, without the retries."""

from collections.abc import Sequence
from typing import Final, LiteralString
from uuid import uuid4

import orjson
from attrs import frozen

from automation_retry.adapters.wire.messages import event_message, job_message
from automation_retry.application import ExecutionJob, Message, RetriedEvent
from automation_retry.domain import ExecutionRetried
from tests.benchmarks.arena import Arena
from tests.benchmarks.failed_rows import RULE, STARTED_AT, TENANT

_USER: Final = uuid4()
_AT_ONCE: Final = 5_000

_ADD: LiteralString = """
INSERT INTO automation_outbox (tenant, id, kind, execution_id, attempt, body)
SELECT tenant, id, kind, execution_id, attempt, body
FROM jsonb_to_recordset(%(rows)s::jsonb) AS m (
    tenant uuid, id uuid, kind text, execution_id uuid, attempt integer, body jsonb
)
"""


@frozen
class Messages:
    """One of each kind for each execution."""

    jobs: Sequence[Message]
    events: Sequence[Message]

    def __len__(self) -> int:
        return len(self.jobs) + len(self.events)


def new_messages(count: int) -> Messages:
    """`count` jobs and as many events, of executions that do not exist."""
    retried = [
        ExecutionRetried(
            tenant=TENANT,
            execution_id=uuid4(),
            automation_rule_id=RULE,
            attempt=1,
            retried_at=STARTED_AT,
            retried_by=_USER,
            api_key_id=_USER,
            request_id=str(uuid4()),
        )
        for _ in range(count)
    ]
    return Messages(
        jobs=[job_message(ExecutionJob(id=uuid4(), retried=one)) for one in retried],
        events=[event_message(RetriedEvent(id=uuid4(), retried=one)) for one in retried],
    )


def fill_outbox(arena: Arena, messages: Messages) -> None:
    """Adds the messages to the outbox in one transaction: relays see all of them at once."""
    both = [one for pair in zip(messages.jobs, messages.events, strict=True) for one in pair]
    with arena.connection() as connection, connection.transaction():
        for first in range(0, len(both), _AT_ONCE):
            rows = [_row(message) for message in both[first : first + _AT_ONCE]]
            connection.execute(_ADD, {"rows": orjson.dumps(rows).decode()})


def _row(message: Message) -> dict[str, object]:
    return {
        "tenant": message.tenant,
        "id": message.id,
        "kind": message.kind.value,
        "execution_id": message.execution_id,
        "attempt": message.attempt,
        "body": orjson.Fragment(message.body),
    }
