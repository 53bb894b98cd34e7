"""The tenants, keys and executions that are fuzzed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import LiteralString, Self
from uuid import UUID, uuid4

import psycopg
from attrs import asdict, evolve, frozen

from automation_retry.application.ports import Directory
from automation_retry.domain import AUTOMATION_READ, Permission
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.lifecycle import opened
from automation_retry.entrypoints.settings import read_settings
from tests.support.world import BOTH

_FILE = "population.json"
_FAILED = 8000
PAYLOAD_LIMIT_BYTES = 4096
"""Payloads of more are truncated; some of the executions have them."""

_INSERT: LiteralString = """
INSERT INTO automation_executions (
    tenant, execution_id, automation_rule_id, status, started_at, completed_at, duration_ms,
    actions_total, actions_successful, actions_failed, error_message, error_stack,
    failed_action_index, trigger_data, execution_context, logs)
SELECT %(tenant)s, gen_random_uuid(), gen_random_uuid(), %(status)s, started_at, completed_at,
       duration_ms, 4, successful, failed, message, stack, failed_at, trigger_data, context, logs
FROM generate_series(1, %(number)s) AS n
CROSS JOIN LATERAL (
    SELECT (ARRAY['2026-11-23 12:00:00.123456+00', '1999-12-31 23:59:59+00', NULL])[n %% 3 + 1]
               ::timestamptz,
           (ARRAY['2026-11-23 12:00:01+00', NULL])[n %% 2 + 1]::timestamptz,
           (ARRAY[0, 2750.5, 1e300, NULL])[n %% 4 + 1]::double precision,
           (ARRAY[0, 2, NULL])[n %% 3 + 1], (ARRAY[1, 0, NULL])[n %% 3 + 1],
           (ARRAY['SMTP server did not answer', '', E'\\u2028 \\u0001 </script> \\U0001F680',
                  '4711', NULL])[n %% 5 + 1],
           (ARRAY['SmtpTimeout', NULL])[n %% 2 + 1], (ARRAY[0, 3, NULL])[n %% 3 + 1],
           (ARRAY['{"ticket": 4711}', 'null', '[1e400]', '"text"', NULL])[n %% 5 + 1]::jsonb,
           CASE WHEN n %% 7 = 0 THEN to_jsonb(repeat('x', 5 * %(limit)s)) END,
           (ARRAY['[]', '[{"level": "info", "message": "m"}]', '["odd", 3, null]', '{}'])
               [n %% 4 + 1]::jsonb
) AS varied (started_at, completed_at, duration_ms, successful, failed, message, stack, failed_at,
             trigger_data, context, logs)
RETURNING execution_id
"""

# As many attempts as fill several pages, the first ones with values that JSON cannot express.
_ARCHIVE: LiteralString = """
INSERT INTO automation_failed_attempts (
    tenant, execution_id, attempt, retried_at, retried_by, api_key_id, request_id, started_at,
    completed_at, duration_ms, actions_successful, actions_failed, error_message)
SELECT %(tenant)s, execution_id, attempt, now(), gen_random_uuid(), NULL, NULL,
       CASE WHEN attempt > 2 THEN now() ELSE '-infinity' END,
       CASE WHEN attempt > 2 THEN now() ELSE 'infinity' END,
       CASE WHEN attempt > 2 THEN 1.5 END, NULL, 1,
       'SMTP server did not answer'
FROM unnest(%(ids)s::uuid[]) AS execution_id, generate_series(1, 30) AS attempt
"""


@frozen(kw_only=True)
class Population:
    """A tenant that is fuzzed, and another one that it must not see."""

    tenant: str

    operator: str
    """A key that may retry and read."""
    reader: str
    """A key of the same tenant that may only read."""
    stranger: str
    """A key of the other tenant that may retry and read."""
    failed: Sequence[str]
    """Ids of failed executions."""
    others: Sequence[str]
    """Ids of executions that cannot be retried, and of failed ones of the other tenant."""

    def parts(self, number: int) -> Sequence[Self]:
        """The same, each with other failed executions."""
        return [evolve(self, failed=self.failed[first::number]) for first in range(number)]

    def write(self, folder: Path) -> None:
        (folder / _FILE).write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> Self:
        return cls(**json.loads((folder / _FILE).read_text()))


async def populate(database_url: str) -> Population:
    """Executions of every status, an unknown one included, with all kinds of contents."""
    tenant, other = uuid4(), uuid4()
    container = Container(settings=read_settings({"DATABASE_URL": database_url}))
    async with opened(container, relay=False):
        directory = container.storage().directory
        operator = await _key(directory, tenant, "operator", BOTH)
        reader = await _key(directory, tenant, "reader", frozenset({AUTOMATION_READ}))
        stranger = await _key(directory, other, "stranger", BOTH)
    with psycopg.connect(database_url) as connection:

        def executions(status: str, number: int, of: UUID = tenant) -> list[str]:
            values = {"tenant": of, "status": status, "number": number}
            rows = connection.execute(_INSERT, {**values, "limit": PAYLOAD_LIMIT_BYTES})
            return [str(row[0]) for row in rows]

        failed = executions("failed", _FAILED)
        others = [
            *executions("pending", 10),
            *executions("running", 10),
            *executions("completed", 10),
            *executions("cancelled", 10),
            *executions("timeout", 10),
            *executions("skipped", 10),
            *executions("a status of another program", 10),
            *executions("failed", 5, other),
        ]
        retried = [*failed[:20], *others[:20]]
        connection.execute(_ARCHIVE, {"tenant": tenant, "ids": retried})
    return Population(
        tenant=str(tenant),
        operator=operator,
        reader=reader,
        stranger=stranger,
        failed=failed,
        others=others,
    )


async def _key(
    directory: Directory, tenant: UUID, username: str, permissions: frozenset[Permission]
) -> str:
    user = await directory.ensure_user(
        tenant=tenant,
        company_name="Contoso",
        username=username,
        email=f"{username}@contoso.example",
        permissions=permissions,
    )
    return await directory.create_api_key(user=user)
