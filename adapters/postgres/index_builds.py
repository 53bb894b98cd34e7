"""Builds indexes beside those who use the table."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import LiteralString

import psycopg
from attrs import frozen
from psycopg.rows import DictRow

from automation_retry.adapters.postgres.connection import Connection
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.errors import described
from automation_retry.adapters.postgres.indexes import IndexState, has_rows, index_states
from automation_retry.adapters.postgres.sql import indexes as sql
from automation_retry.adapters.postgres.sql.schema import SHORT_LOCK_WAITS
from automation_retry.application import SchemaRefused, StorageFailed, StorageUnavailable
from automation_retry.application.ports import Tell

_ATTEMPTS = 10
_PAUSE_S = 1.0
_WATCH_EVERY_S = 1.0
_TELL_AGAIN_S = 15.0

_ENDED_EARLY = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)
_REFUSED = (psycopg.ProgrammingError, psycopg.DataError, psycopg.IntegrityError)


@frozen
class IndexBuilds:
    """One build at a time, whoever calls; what is there already is left.

    The catalog alone tells what is there, so an index that was dropped is built again.
    """

    database: Database

    async def __call__(self, tell: Tell) -> Sequence[str]:
        """See `Schema.build_indexes`. In a deadlock with others, they win and it tries again."""
        built: list[str] = []
        for _ in range(_ATTEMPTS):
            if not await self._is_due():
                return built
            try:
                await self._build_all(built, tell)
            except StorageUnavailable as unavailable:
                if not isinstance(unavailable.__cause__, psycopg.errors.DeadlockDetected):
                    raise
                await asyncio.sleep(_PAUSE_S)
            else:
                return built
        raise SchemaRefused(
            ["No index can be built while others lock the table again and again; migrate later."]
        )

    async def _is_due(self) -> bool:
        async with self.database.connection() as connection:
            states = await index_states(connection)
        return any(one.is_lacking or one.is_other for one in states)

    async def _build_all(self, built: list[str], tell: Tell) -> None:
        async with self._turn(tell), self.database.session() as session:
            if session.own_session:
                await session.execute(sql.WITHOUT_TIME_LIMITS)
                with suppress(psycopg.DataError, psycopg.ProgrammingError):
                    await session.execute(sql.WITH_CLIENT_ONLY)
            await _until_nobody_builds(session, tell)
            for state in await index_states(session):
                is_due = state.is_other or state.is_lacking
                if is_due and await self._build(session, state, tell):
                    built.append(state.index.name)

    @asynccontextmanager
    async def _turn(self, tell: Tell) -> AsyncIterator[None]:
        """Entered by one process at a time.

        The transaction that holds the lock has no snapshot, so no build waits for it.
        """
        told = False
        while True:
            async with (
                self.database.connection(unbounded=True) as connection,
                connection.transaction(),
            ):
                await connection.execute(sql.STAY_IDLE)
                if (await _only_row(connection, sql.TRY_LOCK_BUILDS))["locked"]:
                    yield
                    return
            if not told:
                tell("waiting for another process, which builds indexes")
            told = True
            await asyncio.sleep(_PAUSE_S)

    async def _build(self, session: Connection, state: IndexState, tell: Tell) -> bool:
        """Whether it was built; else somebody has to care for it."""
        name = state.index.name
        try:
            if state.is_partitioned and not state.is_taken and not await has_rows(session):
                await _create_on_empty(session, state)
                tell(f"applied {name}")
                return True
            if state.obstacle:
                tell(state.obstacle)
                return False
            if state.is_interrupted:
                tell(f"dropping {name}, whose build was interrupted")
                async with self._watched(session, name, tell):
                    await session.execute(state.drop, prepare=False)
            tell(f"building {name} on automation_executions{await _size(session)}")
            begun = monotonic()
            async with self._watched(session, name, tell):
                await session.execute(state.create_concurrently, prepare=False)
        except psycopg.errors.InsufficientPrivilege as error:
            reason = error.diag.message_primary
            raise SchemaRefused(
                [f"{_cannot(state)}: {reason}. Migrate as the table's owner."]
            ) from error
        except _ENDED_EARLY as error:
            raise SchemaRefused([_ended_early(state, session, error)]) from error
        except _REFUSED as error:
            # Not chained: PostgreSQL's details may quote a row.
            raise SchemaRefused([f"{_cannot(state)}: {described(error)}."]) from None
        tell(f"applied {name} in {monotonic() - begun:.1f} s")
        return True

    @asynccontextmanager
    async def _watched(self, session: Connection, name: str, tell: Tell) -> AsyncIterator[None]:
        watch = asyncio.create_task(self._watch(session, name, tell))
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _watch(self, session: Connection, name: str, tell: Tell) -> None:
        """Tells for whom the session waits, and how far it is, until it is cancelled."""
        pid = session.info.backend_pid if session.is_direct else None
        told_at, told_of = monotonic(), None
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            with suppress(StorageUnavailable, StorageFailed):
                [seen] = await self.database.fetch(sql.PROGRESS, {"pid": pid})
                is_new = seen["waits_for"] not in (None, told_of)
                if is_new or monotonic() - told_at >= _TELL_AGAIN_S:
                    tell(f"{name}: {_progress(seen)}")
                    told_at, told_of = monotonic(), seen["waits_for"]


async def _until_nobody_builds(session: Connection, tell: Tell) -> None:
    """One may go on whose process is gone, or be another program's."""
    told = None
    while building := await _only_row(session, sql.CURRENT_BUILD):
        if building["pid"] != told:
            told = building["pid"]
            tell(f"waiting for the session {told}, which builds an index on automation_executions")
        await asyncio.sleep(_PAUSE_S)


async def _create_on_empty(session: Connection, state: IndexState) -> None:
    """Whoever uses the table waits for a second at most, as in other migrations."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with session.transaction():
                await session.execute(SHORT_LOCK_WAITS)
                await session.execute(state.create)
        except psycopg.errors.LockNotAvailable:
            if attempt == _ATTEMPTS:
                raise
            await asyncio.sleep(_PAUSE_S)
        else:
            return


async def _size(session: Connection) -> str:
    table = await _only_row(session, sql.TABLE_SIZE)
    return f" (about {table['rows']:,} rows, {table['size']})" if table.get("rows") else ""


async def _only_row(session: Connection, statement: LiteralString) -> DictRow:
    """Empty where there is none."""
    cursor = await session.execute(statement)
    return await cursor.fetchone() or {}


def _progress(seen: DictRow) -> str:
    phase = seen["phase"] or "waiting for a lock on the table"
    if seen["waits_for"] is None:
        phase = seen["phase"] or "goes on"
        percent = "" if seen["percent"] is None else f", {seen['percent']} %"
        return f"{phase}{percent}"
    if not seen["waits_for"]:
        return f"{phase}; a prepared transaction has to end first, see pg_prepared_xacts"
    about = [
        *([f"application {seen['application_name']}"] if seen["application_name"] else ()),
        *([seen["state"]] if seen["state"] else ()),
        *([] if seen["seconds"] is None else [f"begun {seen['seconds']} s ago"]),
    ]
    shown = f" ({', '.join(about)})" if about else ""
    return (
        f"{phase}; the transaction of session {seen['waits_for']}{shown} has to end first; "
        "readers and writers go on meanwhile"
    )


def _cannot(state: IndexState) -> str:
    return f"The index {state.index.name} cannot be built"


def _ended_early(state: IndexState, session: Connection, error: psycopg.Error) -> str:
    why = f"{_cannot(state)}: {error.diag.message_primary}."
    if session.own_session:
        return f"{why} Migrate again to go on."
    return (
        f"{why} Behind a pooler the role's time limits apply; migrate with a DATABASE_URL that "
        "names PostgreSQL itself."
    )
