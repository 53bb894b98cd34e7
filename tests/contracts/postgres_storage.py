from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID, uuid4

from attrs import frozen

from automation_retry.adapters.postgres import Database, postgres_storage
from automation_retry.adapters.postgres.authenticator import PostgresAuthenticator
from automation_retry.adapters.postgres.rows import execution_record
from automation_retry.adapters.postgres.storage import NO_HAND_OVER
from automation_retry.application import Message, MessageKind
from automation_retry.application.ports import HELD_FOR, Reservation, User
from automation_retry.domain import Execution, Permission
from tests.contracts.storage import Neighbours, StorageUnderTest
from tests.support.messages import Sent, handed_over, opened

_OVERWRITE: LiteralString = """
UPDATE automation_executions e
SET automation_rule_id = n.automation_rule_id, status = n.status, started_at = n.started_at,
    completed_at = n.completed_at, duration_ms = n.duration_ms, actions_total = n.actions_total,
    actions_successful = n.actions_successful, actions_failed = n.actions_failed,
    error_message = n.error_message, error_stack = n.error_stack,
    failed_action_index = n.failed_action_index, trigger_data = n.trigger_data,
    execution_context = n.execution_context, logs = n.logs, retry_count = n.retry_count
FROM jsonb_populate_record(NULL::automation_executions, %(execution)s) n
WHERE e.tenant = n.tenant AND e.execution_id = n.execution_id
"""
_DEAD_LETTERS: LiteralString = """
SELECT id, kind, tenant, execution_id, attempt, body::text AS body, dead_reason
FROM automation_outbox
WHERE tenant = %(tenant)s AND dead_at IS NOT NULL
ORDER BY dead_at
"""


@frozen
class PostgresNeighbours(Neighbours):
    database: Database
    authenticator: PostgresAuthenticator

    async def _execute(self, statement: LiteralString, **parameters: Any) -> None:
        async with self.database.connection() as connection:
            await connection.execute(statement, parameters)

    async def overwrite(self, execution: Execution) -> None:
        await self._execute(_OVERWRITE, execution=execution_record(execution))

    async def delete(self, execution: Execution) -> None:
        await self._execute(
            "DELETE FROM automation_executions"
            " WHERE tenant = %(tenant)s AND execution_id = %(execution_id)s",
            tenant=execution.tenant,
            execution_id=execution.execution_id,
        )

    async def handed_over(self, kind: MessageKind) -> Sequence[Sent]:
        async with self.database.connection() as connection:
            return await handed_over(connection, kind)

    async def dead_letters(self, tenant: UUID) -> Sequence[tuple[Sent, str]]:
        rows = await self.database.fetch(_DEAD_LETTERS, {"tenant": tenant})
        letters: list[tuple[Sent, str]] = []
        for row in rows:
            reason = row.pop("dead_reason")
            message = Message(**row | {"kind": MessageKind(row["kind"])})
            letters.append((opened(message), reason))
        return letters

    async def add_user(self, user: User) -> None:
        await self._execute(
            "INSERT INTO tenants VALUES (%(tenant)s, 'Contoso', 'it@contoso.example')"
            " ON CONFLICT DO NOTHING",
            tenant=user.tenant,
        )
        await self._execute(
            "INSERT INTO users (tenant, user_id, username, hashed_password)"
            " VALUES (%(tenant)s, %(user_id)s, %(username)s, 'x')",
            tenant=user.tenant,
            user_id=user.user_id,
            username=user.username,
        )

    async def give_role(
        self, user: User, role_id: UUID, permissions: Mapping[UUID, Permission]
    ) -> None:
        owner = {"tenant": user.tenant, "role_id": role_id}
        await self._execute(
            "INSERT INTO roles (tenant, role_id, role_name) VALUES (%(tenant)s, %(role_id)s, 'r')"
            " ON CONFLICT DO NOTHING",
            **owner,
        )
        await self._execute(
            "INSERT INTO user_roles VALUES (%(tenant)s, %(user_id)s, %(role_id)s)"
            " ON CONFLICT DO NOTHING",
            user_id=user.user_id,
            **owner,
        )
        for permission_id, permission in permissions.items():
            await self._execute(
                "INSERT INTO permissions VALUES"
                " (%(tenant)s, %(permission_id)s, %(resource)s, %(action)s) ON CONFLICT DO NOTHING",
                tenant=user.tenant,
                permission_id=permission_id,
                resource=permission.resource,
                action=permission.action,
            )
            await self._execute(
                "INSERT INTO role_permissions VALUES (%(tenant)s, %(role_id)s, %(permission_id)s)"
                " ON CONFLICT DO NOTHING",
                permission_id=permission_id,
                **owner,
            )

    async def deactivate_user(self, user: User) -> None:
        await self._execute(
            "UPDATE users SET is_inactive = true"
            " WHERE tenant = %(tenant)s AND user_id = %(user_id)s",
            tenant=user.tenant,
            user_id=user.user_id,
        )

    async def remove_user(self, user: User) -> None:
        # Our own tables have foreign keys; AlgaPSA's need not.
        await self._execute(
            "ALTER TABLE api_keys DROP CONSTRAINT IF EXISTS api_keys_tenant_user_id_fkey"
        )
        for table_statement in (
            "DELETE FROM user_roles WHERE tenant = %(tenant)s AND user_id = %(user_id)s",
            "DELETE FROM users WHERE tenant = %(tenant)s AND user_id = %(user_id)s",
        ):
            await self._execute(table_statement, tenant=user.tenant, user_id=user.user_id)

    async def set_last_used_at(self, api_key_id: UUID, moment: datetime) -> None:
        await self._execute(
            "UPDATE api_keys SET last_used_at = %(moment)s WHERE api_key_id = %(api_key_id)s",
            moment=moment,
            api_key_id=api_key_id,
        )

    async def outlive(self, reservation: Reservation) -> None:
        await self._execute(
            "UPDATE automation_idempotency_keys SET held_until = held_until - %(held_for)s"
            " WHERE holder = %(holder)s",
            held_for=HELD_FOR,
            holder=reservation.holder,
        )

    async def finish_writing(self) -> None:
        await self.authenticator.settle()


@asynccontextmanager
async def open_storage(
    url: str, hand_over: Mapping[MessageKind, LiteralString] = NO_HAND_OVER
) -> AsyncIterator[StorageUnderTest]:
    """The storage in a migrated database."""
    database = Database(url)
    storage = postgres_storage(database, new_id=uuid4, hand_over=hand_over)
    assert isinstance(storage.authenticator, PostgresAuthenticator)
    await storage.lifecycle.open()
    try:
        yield StorageUnderTest(
            storage=storage, neighbours=PostgresNeighbours(database, storage.authenticator)
        )
    finally:
        await storage.lifecycle.close()
