import asyncio
from functools import lru_cache
from uuid import UUID

import structlog

from adapters.api_keys import digest
from adapters.postgres import statements
from adapters.postgres.database import Database
from application import InvalidApiKey, StorageUnavailable
from application.ports import Authenticator
from domain import Permission, Principal

_log = structlog.get_logger()

_permission = lru_cache(maxsize=1024)(Permission)


class PostgresAuthenticator(Authenticator):
    """AlgaPSA's identity tables, asked in one statement for each request."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._touches: dict[UUID, asyncio.Task[None]] = {}

    async def authenticate(self, api_key: str, tenant: UUID | None = None) -> Principal:
        rows = await self._database.fetch(
            statements.AUTHENTICATE, {"digest": digest(api_key), "tenant": tenant}
        )
        if not rows:
            raise InvalidApiKey("there is no such key")
        row = rows[0]
        if row["refusal"] is not None:
            raise InvalidApiKey(f"{row['refusal']} (api_key_id {row['api_key_id']})")
        if row["touch"]:
            self._touch(row["tenant"], row["api_key_id"])
        return Principal(
            tenant=row["tenant"],
            user_id=row["user_id"],
            api_key_id=row["api_key_id"],
            permissions=frozenset(
                _permission(resource, action) for resource, action in row["permissions"]
            ),
        )

    def _touch(self, tenant: UUID, api_key_id: UUID) -> None:
        """Writes `last_used_at` beside the request; one write at a time for a key."""
        if api_key_id not in self._touches:
            task = asyncio.create_task(self._write_touch(tenant, api_key_id))
            self._touches[api_key_id] = task
            task.add_done_callback(lambda _: self._touches.pop(api_key_id, None))

    async def _write_touch(self, tenant: UUID, api_key_id: UUID) -> None:
        try:
            async with self._database.connection() as connection:
                await connection.execute(
                    statements.TOUCH_API_KEY, {"tenant": tenant, "api_key_id": api_key_id}
                )
        except StorageUnavailable as unavailable:
            _log.warning("last_used_at not written", reason=unavailable.reason)

    async def settle(self) -> None:
        """Waits for the `last_used_at` that are being written."""
        await asyncio.gather(*self._touches.values())
