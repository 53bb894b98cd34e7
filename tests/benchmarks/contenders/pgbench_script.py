"""Scripts for pgbench: in each transaction one retry, of another row.

The service's statements are not copied here: one retry is made through the service's own adapters,
their statements are recorded, and these, with their parameters, become the script. The rows are
alike, so that the retry of another differs in its ids only.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID, uuid4

import orjson
from attrs import frozen
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from automation_retry.adapters.postgres import Database
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.lifecycle import opened
from automation_retry.entrypoints.settings import read_settings
from tests.benchmarks.arena import API_KEY, Arena
from tests.benchmarks.failed_rows import execution_id
from tests.support.without_delivery import WITHOUT_DELIVERY

# Each client has a counter of its own; `permute` spreads consecutive numbers over the table.
_NEXT_ROW: Final = """\
\\set number 1 + permute(:first + :taken * :clients + :client_id, :rows, 4711)
\\set taken :taken + 1
"""
_EXECUTION_ID: Final = "md5('execution ' || :number)::uuid"
_NEW_ID: Final = "gen_random_uuid()"

_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_VARIABLE: Final = re.compile(r":[A-Za-z_]")

_TRANSACTION: LiteralString = """
BEGIN;
SELECT tenant, execution_id, automation_rule_id, status, started_at, completed_at, duration_ms,
       actions_total, actions_successful, actions_failed, error_message, error_stack,
       failed_action_index, trigger_data, execution_context, logs, retry_count
FROM automation_executions
WHERE tenant = %(tenant)s AND execution_id = %(execution_id)s FOR UPDATE;
UPDATE automation_executions
SET status = 'pending', started_at = %(retried_at)s, completed_at = NULL, duration_ms = NULL,
    actions_successful = 0, actions_failed = 0, error_message = NULL, error_stack = NULL,
    failed_action_index = NULL, retry_count = %(attempt)s
WHERE tenant = %(tenant)s AND execution_id = %(execution_id)s;
INSERT INTO automation_failed_attempts (
    tenant, execution_id, attempt, retried_at, retried_by, api_key_id, request_id, started_at,
    completed_at, duration_ms, actions_successful, actions_failed, error_message, error_stack,
    failed_action_index
) VALUES (
    %(tenant)s, %(execution_id)s, %(attempt)s, %(retried_at)s, %(retried_by)s, %(api_key_id)s,
    %(request_id)s, %(started_at)s, %(completed_at)s, %(duration_ms)s, %(actions_successful)s,
    %(actions_failed)s, %(error_message)s, %(error_stack)s, %(failed_action_index)s
);
INSERT INTO automation_outbox (tenant, id, kind, execution_id, attempt, body)
VALUES (%(tenant)s, %(job_id)s, 'job', %(execution_id)s, %(attempt)s, %(job)s),
       (%(tenant)s, %(event_id)s, 'event', %(execution_id)s, %(attempt)s, %(event)s);
COMMIT
"""
_ARCHIVED: LiteralString = """
SELECT tenant, execution_id, attempt, retried_at, retried_by, api_key_id, request_id, started_at,
       completed_at, duration_ms, actions_successful, actions_failed, error_message, error_stack,
       failed_action_index
FROM automation_failed_attempts
"""


@frozen
class Executed:
    """A statement with its parameters, as the service executes it."""

    statement: LiteralString
    parameters: Mapping[str, Any]


class RecordingDatabase(Database):
    """The service's own pool of connections, and a record of the statements executed by it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.executed: list[Executed] = []

    async def fetch(self, statement: LiteralString, parameters: Mapping[str, Any]) -> list[DictRow]:
        self.executed.append(Executed(statement, parameters))
        return await super().fetch(statement, parameters)

    async def fetch_once(
        self, statement: LiteralString, parameters: Mapping[str, Any], *, shared: bool = False
    ) -> list[DictRow]:
        self.executed.append(Executed(statement, parameters))
        return await super().fetch_once(statement, parameters, shared=shared)


@frozen
class OneRetry:
    """The retry of one row, as the service made it."""

    executed: Sequence[Executed]
    """From the authentication query to the commit."""
    archived: Mapping[str, Any]
    """The row that it wrote to `automation_failed_attempts`."""
    messages: Mapping[str, Any]
    """The body of each kind that it wrote to the outbox."""
    execution_id: UUID
    new_ids: Sequence[UUID]

    def as_service(self) -> str:
        """The service's own statements: authenticate, read, and one that writes."""
        return _NEXT_ROW + "".join(self._sql(one) for one in self.executed)

    def as_transaction(self) -> str:
        """The service's authentication, then a transaction of single statements."""
        parameters = {
            **self.archived,
            **{kind: Jsonb(body) for kind, body in self.messages.items()},
            **{f"{kind}_id": UUID(body["id"]) for kind, body in self.messages.items()},
        }
        authenticate = next(one for one in self.executed if "api_keys" in one.statement)
        written = [authenticate, Executed(_TRANSACTION, parameters)]
        return _NEXT_ROW + "".join(self._sql(one) for one in written)

    def _sql(self, executed: Executed) -> str:
        text = _PARAMETER.sub(
            lambda name: self._expression(executed.parameters[name[1]]), executed.statement
        )
        return f"{text.strip()};\n".replace("%%", "%")

    def _expression(self, value: Any) -> str:
        """A parameter as SQL, in which the ids of this retry become those of the current one."""
        if value is None:
            return "NULL"
        if isinstance(value, Jsonb):
            # With blanks after the colons: pgbench would take `:null` for a variable.
            return f"{self._text(json.dumps(orjson.loads(orjson.dumps(value.obj))))}::jsonb"
        if isinstance(value, list | tuple):
            return f"ARRAY[{', '.join(self._expression(item) for item in value)}]"
        if isinstance(value, UUID) and value in self._ids:
            return self._ids[value]
        if isinstance(value, UUID | datetime | str):
            return self._text(str(value))
        return str(value)

    @property
    def _ids(self) -> Mapping[UUID, str]:
        """The ids that differ between retries, and the SQL for those of the current one."""
        return {self.execution_id: _EXECUTION_ID, **dict.fromkeys(self.new_ids, _NEW_ID)}

    def _text(self, text: str) -> str:
        if _VARIABLE.search(text):
            raise ValueError(f"pgbench would find a variable in {text!r}")
        sql = "'" + text.replace("'", "''") + "'"
        for known, expression in self._ids.items():
            if str(known) in text:
                sql = f"replace({sql}, '{known}', ({expression})::text)"
        return sql


async def make_one_retry(arena: Arena) -> OneRetry:
    """Retries row 1 of the arena as the service does."""
    database = RecordingDatabase(arena.url)
    wanted, new_ids = execution_id(1), [uuid4(), uuid4()]
    next_id = iter(new_ids)
    container = Container(settings=read_settings({"DATABASE_URL": arena.url, **WITHOUT_DELIVERY}))
    container.database.override(database)
    container.new_id.override(lambda: next(next_id))
    async with opened(container, relay=False):
        key = await container.storage().authenticator.authenticate(API_KEY)
        await container.retry_execution()(key.principal, wanted, request_id=str(uuid4()))
    archived = arena.execute(_ARCHIVED)[0]
    messages = arena.execute("SELECT kind, body FROM automation_outbox")
    return OneRetry(
        executed=database.executed,
        archived=archived,
        messages={message["kind"]: message["body"] for message in messages},
        execution_id=wanted,
        new_ids=new_ids,
    )
