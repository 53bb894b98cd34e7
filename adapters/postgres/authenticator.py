import asyncio
from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID
from weakref import WeakValueDictionary

import structlog
from psycopg.rows import DictRow

from automation_retry.adapters.api_keys import digest
from automation_retry.adapters.postgres import statements
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.grouping import Grouping
from automation_retry.application import InvalidApiKey, StorageUnavailable
from automation_retry.application.ports import Authenticator
from automation_retry.domain import Permission, Principal

Question = tuple[str, UUID | None]
"""The digest of a key, and the tenant that it must belong to, if any."""

_log = structlog.get_logger()

_permission = lru_cache(maxsize=1024)(Permission)


class PostgresAuthenticator(Authenticator):
    """AlgaPSA's identity tables, asked in one statement for each request."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Each lives as long as somebody asks it.
        self._asking = WeakValueDictionary[Question, Grouping[Question, DictRow | None]]()
        self._touches: dict[UUID, asyncio.Task[None]] = {}

    async def authenticate(self, api_key: str, tenant: UUID | None = None) -> Principal:
        question = (digest(api_key), tenant)
        ask = self._asking.get(question)
        if ask is None:
            ask = self._asking[question] = Grouping(self._answers, lambda _: ())
        row = await ask(question)
        if row is None:
            raise InvalidApiKey("there is no such key")
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

    async def _answers(self, questions: Sequence[Question]) -> Sequence[DictRow | None]:
        """One statement for all who ask the same at the same time, unless the key is counted.

        It begins after all of them have asked, so a key that was revoked before lets nobody in.
        """
        first = await self._row(questions[0])
        if first is None or not first["counted"]:
            return [first] * len(questions)
        return [first, *[await self._row(question) for question in questions[1:]]]

    async def _row(self, question: Question) -> DictRow | None:
        key_digest, tenant = question
        rows = await self._database.fetch(
            statements.AUTHENTICATE, {"digest": key_digest, "tenant": tenant}
        )
        return rows[0] if rows else None

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
