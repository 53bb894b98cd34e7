"""Procrastinate's own tables, which its users have to create and upgrade."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from attrs import frozen
from procrastinate.schema import SchemaManager
from psycopg.rows import dict_row, scalar_row

from automation_retry.adapters.procrastinate.connection import Connect
from automation_retry.adapters.procrastinate.hand_over import FUNCTION
from automation_retry.adapters.procrastinate.retention import TO_REMOVE
from automation_retry.adapters.rights import Right, hidden_schemas, missing_rights
from automation_retry.adapters.row_security import row_security
from automation_retry.application import SchemaRefused
from automation_retry.application.ports import MigrationScript, Schema, Tell

_LOCK: Final = "SELECT pg_advisory_xact_lock(4158023871920416323)"
_TABLES: Final = (
    "procrastinate_jobs",
    "procrastinate_events",
    "procrastinate_workers",
    "procrastinate_periodic_defers",
)
# `missing` has the tables that are gone where others, or their types, are there.
_STATE: Final = """
SELECT to_regclass('procrastinate_jobs') IS NOT NULL AS created,
       to_regclass('automation_retry_procrastinate') IS NOT NULL AS ours,
       CASE WHEN to_regtype('procrastinate_job_status') IS NULL THEN ARRAY[]::text[] ELSE ARRAY(
           SELECT name FROM unnest(%(tables)s::text[]) AS name WHERE to_regclass(name) IS NULL
       ) END AS missing
"""
# Where the storage's tables and Procrastinate's are, if not in one schema.
_SCHEMAS: Final = """
SELECT quote_ident(s.nspname) AS storage, quote_ident(p.nspname) AS jobs,
       quote_ident(current_user) AS role
FROM pg_class o JOIN pg_namespace s ON s.oid = o.relnamespace,
     pg_class j JOIN pg_namespace p ON p.oid = j.relnamespace
WHERE o.oid = to_regclass('automation_outbox') AND j.oid = to_regclass('procrastinate_jobs')
  AND s.oid <> p.oid
"""
# Jobs are deferred by this function; triggers on the table of jobs write to that of events.
_DEFERS: Final = """
SELECT count(*) > 0 AND to_regtype('procrastinate_job_to_defer_v1') IS NOT NULL AS exists,
       coalesce(bool_or(has_function_privilege(oid, 'EXECUTE')), false) AS allowed,
       quote_ident(current_user) AS role
FROM pg_proc WHERE proname = 'procrastinate_defer_jobs_v1' AND pg_function_is_visible(oid)
"""
# Each job sends a NOTIFY, which fails when the queue of the whole server is full: a session that
# listens does not read it while it is in a transaction.
_NOTIFY_QUEUE: Final = """
SELECT pg_notification_queue_usage() > 0.99 AS is_full, oldest.pid,
       round(extract(epoch FROM now() - oldest.xact_start)) AS seconds
FROM (SELECT 1) one
LEFT JOIN LATERAL (
    SELECT a.pid, a.xact_start FROM pg_stat_activity a
    WHERE a.state = 'idle in transaction' AND a.pid <> pg_backend_pid()
    ORDER BY a.xact_start
    LIMIT 1
) oldest ON true
"""
_RIGHTS: Final = (
    Right("automation_retry_procrastinate", "SELECT"),
    Right("procrastinate_jobs", "SELECT"),
    Right("procrastinate_jobs", "INSERT"),
    Right("procrastinate_jobs_id_seq", "USAGE"),
    Right("procrastinate_events", "INSERT"),
    Right("procrastinate_events_id_seq", "USAGE"),
)
_CREATE: Final = "CREATE TABLE automation_retry_procrastinate (migration text PRIMARY KEY)"
_APPLIED: Final = "SELECT migration FROM automation_retry_procrastinate"
_MARK: Final = """
INSERT INTO automation_retry_procrastinate (migration) SELECT unnest(%(names)s::text[])
"""


@frozen
class ProcrastinateSchema(Schema):
    """Creates the tables, and upgrades those that it created to a new version of Procrastinate.

    Tables that it did not create belong to another application and are left as they are.
    """

    connect: Connect
    expires_events: bool = True
    """Whether old events are to be removed."""

    async def migrate(self) -> Sequence[str]:
        async with self.connect(unbounded=True) as connection, connection.transaction():
            await connection.execute("SET LOCAL statement_timeout = 0")
            await connection.execute("SET LOCAL lock_timeout = 0")
            await connection.execute(_LOCK)
            state = await _state(connection)
            if problems := [*_problems_of_tables(state)]:
                raise SchemaRefused(problems)
            if not state["created"]:
                await connection.execute(SchemaManager.get_schema(), prepare=False)
                await connection.execute(_CREATE)
                await connection.execute(_MARK, {"names": sorted(_migrations())})
                return ["procrastinate"]
            if not state["ours"]:
                return []
            return await _upgrade(connection)

    async def build_indexes(self, tell: Tell) -> Sequence[str]:  # noqa: ARG002
        """Procrastinate's own migrations build its indexes."""
        return ()

    async def script(self) -> MigrationScript:
        async with self.connect() as connection:
            state = await _state(connection)
            if problems := [*_problems_of_tables(state)]:
                raise SchemaRefused(problems)
            mogrify = psycopg.AsyncClientCursor(connection).mogrify
            if not state["created"]:
                names = sorted(_migrations())
                statements = [SchemaManager.get_schema(), _CREATE]
            elif state["ours"]:
                names = await _unapplied(connection)
                statements = [_migrations()[name].read_text("utf-8") for name in names]
            else:
                names = []
            if not names:
                return MigrationScript()
            parts = ["BEGIN", _LOCK, *statements, mogrify(_MARK, {"names": names}), "COMMIT"]
            return MigrationScript(
                migrations="".join(f"{one.strip().removesuffix(';')};\n" for one in parts)
            )

    async def missing(self) -> Sequence[str]:
        async with self.connect() as connection:
            state = await _state(connection)
            if not state["created"]:
                return ["procrastinate"]
            return await _unapplied(connection) if state["ours"] else []

    async def problems(self, *, delivers: bool) -> Sequence[str]:  # noqa: ARG002
        """Each commit hands over, so `delivers` makes no difference.

        Procrastinate's tables may be another application's, and older than our Procrastinate.
        """
        async with self.connect() as connection:
            rows = connection.cursor(row_factory=dict_row)
            state = await _state(connection)
            if not state["created"]:
                return [*await hidden_schemas(rows, _RIGHTS), *_problems_of_tables(state)]
            return [
                *_problems_of_tables(state),
                *_problems_of_schemas(await _only_row(connection, _SCHEMAS)),
                *_problems_of_function(await _only_row(connection, _DEFERS)),
                *_problems_of_queue(await _only_row(connection, _NOTIFY_QUEUE)),
                *await missing_rights(rows, _RIGHTS),
                *(await row_security(rows, _RIGHTS)).problems,
            ]

    async def warnings(self, *, delivers: bool) -> Sequence[str]:
        async with self.connect() as connection:
            rows = connection.cursor(row_factory=dict_row)
            found = list((await row_security(rows, _RIGHTS)).warnings)
            if delivers and self.expires_events:
                lacks = await missing_rights(rows, TO_REMOVE)
                found.extend(f"Old events are not removed. {right}" for right in lacks)
            return found


async def _state(connection: psycopg.AsyncConnection[Any]) -> dict[str, Any]:
    return await _only_row(connection, _STATE, {"tables": [*_TABLES]})


def _problems_of_tables(state: Mapping[str, Any]) -> Iterator[str]:
    if state["missing"]:
        yield (
            f"Procrastinate's {', '.join(state['missing'])} is missing although other parts of it "
            "exist; restore it, or, if no job is needed any more, drop all tables, types and "
            "functions whose names begin with procrastinate_, and migrate again."
        )


def _problems_of_schemas(state: Mapping[str, Any]) -> Iterator[str]:
    """Another application's jobs would be in reach, and engines might look at one or the other."""
    if state:
        storage, jobs, role = state["storage"], state["jobs"], state["role"]
        yield (
            f"The search_path finds this service's tables in the schema {storage} and "
            f"Procrastinate's in {jobs}; set one for which both are in one schema, as by "
            f"ALTER ROLE {role} SET search_path = {storage}; and migrate again."
        )


def _problems_of_function(state: Mapping[str, Any]) -> Iterator[str]:
    if not state["exists"]:
        yield (
            "Procrastinate's tables are another application's and older than Procrastinate "
            f"{version('procrastinate')}, by which this service defers jobs; apply its migrations."
        )
    elif not state["allowed"]:
        yield (
            f"The role {state['role']} may not call {FUNCTION}; run: "
            f"GRANT EXECUTE ON FUNCTION {FUNCTION} TO {state['role']};"
        )


def _problems_of_queue(state: Mapping[str, Any]) -> Iterator[str]:
    if state["is_full"]:
        likely = (
            f"most likely the one with pid {state['pid']}, idle for {state['seconds']} s; "
            f"SELECT pg_terminate_backend({state['pid']}); ends it"
            if state["pid"]
            else "see pg_stat_activity"
        )
        yield (
            "PostgreSQL's NOTIFY queue is full, so no job can be deferred: a session that listens "
            f"stays in one transaction, {likely}."
        )


def _migrations() -> dict[str, Path]:
    return {path.stem: path for path in Path(SchemaManager.get_migrations_path()).glob("*.sql")}


async def _unapplied(connection: psycopg.AsyncConnection[Any]) -> list[str]:
    cursor = await connection.cursor(row_factory=scalar_row).execute(_APPLIED)
    applied = set(await cursor.fetchall())
    return sorted(_migrations().keys() - applied)


async def _upgrade(connection: psycopg.AsyncConnection[Any]) -> list[str]:
    names = await _unapplied(connection)
    if not names:
        return []
    migrations = _migrations()
    for name in names:
        await connection.execute(migrations[name].read_text("utf-8"), prepare=False)
    await connection.execute(_MARK, {"names": names})
    return [f"procrastinate {name}" for name in names]


async def _only_row(
    connection: psycopg.AsyncConnection[Any],
    statement: LiteralString,
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    cursor = await connection.cursor(row_factory=dict_row).execute(statement, parameters)
    return await cursor.fetchone() or {}
