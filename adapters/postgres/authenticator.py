import asyncio
import logging
from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID
from weakref import WeakValueDictionary

from psycopg.rows import DictRow

from automation_retry.adapters.api_keys import digest
from automation_retry.adapters.log import log
from automation_retry.adapters.postgres.coalescing import Coalescer
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.lock_waits import LockWaits
from automation_retry.adapters.postgres.sql import identity as sql
from automation_retry.application import InvalidApiKey, StorageUnavailable
from automation_retry.application.ports import Authenticator, ValidKey
from automation_retry.domain import Permission, Principal

Credentials = tuple[str, UUID | None]
"""The digest of a key, and the tenant that it must belong to, if any."""
LimitedKey = tuple[UUID, UUID | None]
"""The tenant and the id of a key."""

_SETTLE_TIMEOUT_S = 1.0

_permission = lru_cache(maxsize=1024)(Permission)


class PostgresAuthenticator(Authenticator):
    """AlgaPSA's identity tables, read by one statement for each request."""

    def __init__(self, database: Database, lock_waits: LockWaits, *, by_tenant: bool) -> None:
        """With `by_tenant`, only the search for a key's tenant touches several tenants."""
        self._database = database
        self._lock_waits = lock_waits
        self._by_tenant = by_tenant
        # Weak, so that each lives as long as a request uses it.
        self._coalescers = WeakValueDictionary[
            Credentials, Coalescer[Credentials, DictRow | None]
        ]()
        self._counters = WeakValueDictionary[LimitedKey, Coalescer[LimitedKey, bool]]()
        self._last_used_at_writes: dict[UUID, asyncio.Task[None]] = {}

    async def authenticate(self, api_key: str, tenant: UUID | None = None) -> ValidKey:
        credentials = (digest(api_key), tenant)
        find = self._coalescers.get(credentials)
        if find is None:
            find = self._coalescers[credentials] = Coalescer(self._rows, lambda _: ())
        row = await find(credentials)
        if row is None:
            raise InvalidApiKey("there is no such key")
        if row["refusal"] is not None:
            raise InvalidApiKey(f"{row['refusal']} (api_key_id {row['api_key_id']})")
        if row["last_used_at_is_old"]:
            self._set_last_used_at(row["tenant"], row["api_key_id"])
        principal = Principal(
            tenant=row["tenant"],
            user_id=row["user_id"],
            api_key_id=row["api_key_id"],
            permissions=frozenset(
                _permission(resource, action) for resource, action in row["permissions"]
            ),
        )
        return ValidKey(principal=principal, has_usage_limit=row["has_usage_limit"])

    async def count_use(self, principal: Principal) -> None:
        key = (principal.tenant, principal.api_key_id)
        count = self._counters.get(key)
        if count is None:
            count = self._counters[key] = Coalescer(self._counted, lambda _: ())
        if not await count(key):
            raise InvalidApiKey(f"its usage limit is reached (api_key_id {key[1]})")

    async def _rows(self, batch: Sequence[Credentials]) -> Sequence[DictRow | None]:
        """One query for a batch of equal credentials.

        The query starts after all of the batch arrived, so none of them gets in by a key that was
        revoked before.
        """
        row = await (self._row_by_tenant if self._by_tenant else self._row)(*batch[0])
        return [row] * len(batch)

    async def _row(self, key_digest: str, tenant: UUID | None) -> DictRow | None:
        found = await self._database.fetch(
            sql.AUTHENTICATE, {"digest": key_digest, "tenant": tenant}
        )
        return found[0] if found else None

    async def _row_by_tenant(self, key_digest: str, tenant: UUID | None) -> DictRow | None:
        row: DictRow | None = None
        for owner in await self._database.fetch(sql.TENANTS_OF_KEY, {"digest": key_digest}):
            found = await self._database.fetch(
                sql.AUTHENTICATE_IN_TENANT,
                {"digest": key_digest, "tenant": tenant, "owner": owner["tenant"]},
            )
            if found and found[0]["refusal"] is None:
                return found[0]
            row = found[0] if found else row
        return row

    async def _counted(self, batch: Sequence[LimitedKey]) -> Sequence[bool]:
        """Counts a use of the same key for each of the batch; false for those beyond its limit."""
        tenant, api_key_id = batch[0]
        async with self._lock_waits.turn([(tenant, api_key_id)]):
            rows = await self._database.fetch_once(
                sql.COUNT_USES, {"tenant": tenant, "api_key_id": api_key_id, "uses": len(batch)}
            )
        counted = rows[0]["counted"] if rows else 0
        return [number < counted for number in range(len(batch))]

    def _set_last_used_at(self, tenant: UUID, api_key_id: UUID) -> None:
        """Writes `last_used_at` in the background; one write at a time for each key."""
        if api_key_id not in self._last_used_at_writes:
            task = asyncio.create_task(self._write_last_used_at(tenant, api_key_id))
            self._last_used_at_writes[api_key_id] = task
            task.add_done_callback(lambda _: self._last_used_at_writes.pop(api_key_id, None))

    async def _write_last_used_at(self, tenant: UUID, api_key_id: UUID) -> None:
        try:
            await self._database.execute(
                sql.SET_LAST_USED_AT, {"tenant": tenant, "api_key_id": api_key_id}
            )
        except StorageUnavailable as unavailable:
            log(logging.WARNING, "last_used_at not written", reason=unavailable.reason)

    async def settle(self) -> None:
        """Waits up to a second for pending writes of `last_used_at`, then cancels them."""
        pending = set(self._last_used_at_writes.values())
        if pending:
            _, pending = await asyncio.wait(pending, timeout=_SETTLE_TIMEOUT_S)
        for write in pending:
            log(
                logging.WARNING,
                "last_used_at not written",
                reason="the storage did not answer in time",
            )
            write.cancel()
