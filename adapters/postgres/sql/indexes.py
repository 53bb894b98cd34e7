"""The indexes of `automation_executions`: what lists and failure groups are read by.

Each costs every retry an entry, so there are no more than these four. The table may be large and
in use: the statements CONCURRENTLY hold up no reader and no writer, run outside a transaction, and
leave an invalid index behind when they are interrupted.

The last column of those that begin with a time or a rule is only a condition: it is checked without
reading the row, which makes a rare status, or a rule's failures, ten times faster to find.
"""

from typing import Final, LiteralString

from attrs import frozen
from psycopg.sql import SQL, Composed, Identifier

IS_FAILED: Final = SQL("status = 'failed'")
"""For text and enumerated types; no cast to text, which is not immutable for the latter."""


def is_failed(schema: str, enumeration: str) -> Composed:
    """The same for a domain over an enumerated type, which has no operator of its own."""
    return SQL("status::{} = 'failed'").format(Identifier(schema, enumeration))


@frozen(kw_only=True)
class Index:
    """An index of `automation_executions`."""

    name: LiteralString
    keys: LiteralString
    of_failed: bool = False
    """Whether it holds failed executions only."""

    def create(self, failed: SQL | Composed = IS_FAILED) -> Composed:
        """Keeps writers of the table waiting until it is built."""
        return SQL("CREATE INDEX IF NOT EXISTS ") + self._definition(failed)

    def create_concurrently(self, failed: SQL | Composed) -> Composed:
        """Reads the table twice, and waits for all transactions that are older than each pass."""
        return SQL("CREATE INDEX CONCURRENTLY IF NOT EXISTS ") + self._definition(failed)

    def _definition(self, failed: SQL | Composed) -> Composed:
        definition = SQL("{} ON automation_executions USING btree ({})").format(
            SQL(self.name), SQL(self.keys)
        )
        return definition + SQL(" WHERE ") + failed if self.of_failed else definition


EXECUTION_INDEXES: Final = (
    Index(
        name="automation_retry_executions_started",
        keys="tenant, started_at, execution_id, status",
    ),
    Index(
        name="automation_retry_executions_rule",
        keys="tenant, automation_rule_id, started_at, execution_id, status",
    ),
    Index(
        name="automation_retry_executions_failed",
        keys="tenant, automation_retry_failed_at(completed_at, started_at), execution_id,"
        " automation_rule_id",
        of_failed=True,
    ),
    Index(
        name="automation_retry_executions_group",
        keys="tenant, automation_retry_failure_group(automation_rule_id, error_message),"
        " automation_retry_failed_at(completed_at, started_at), execution_id",
        of_failed=True,
    ),
)

# One row for each of `names`, in that order; none where the table does not exist. `definition` is
# NULL where nothing, or no index, has the name. `enumeration` is the type under the domain of the
# column `status`, if it is an enumerated one. Takes no locks that a writer would notice.
INDEX_STATES: Final = """
WITH RECURSIVE base AS (
    SELECT d.typbasetype AS oid FROM pg_attribute a JOIN pg_type d ON d.oid = a.atttypid
    WHERE a.attrelid = to_regclass('automation_executions') AND a.attname = 'status'
      AND d.typtype = 'd'
    UNION ALL
    SELECT d.typbasetype FROM base b JOIN pg_type d ON d.oid = b.oid WHERE d.typtype = 'd'
)
SELECT w.name, s.nspname AS schema, t.relkind = 'p' AS is_partitioned,
       e.schema AS enumeration_schema, e.name AS enumeration,
       c.oid IS NOT NULL AS is_taken,
       coalesce(i.indisvalid AND i.indisready, false) AS is_valid,
       pg_get_indexdef(i.indexrelid) AS definition
FROM unnest(%(names)s::text[]) WITH ORDINALITY AS w (name, position)
JOIN pg_class t ON t.oid = to_regclass('automation_executions')
JOIN pg_namespace s ON s.oid = t.relnamespace
LEFT JOIN (
    SELECT n.nspname AS schema, b.typname AS name
    FROM base JOIN pg_type b ON b.oid = base.oid JOIN pg_namespace n ON n.oid = b.typnamespace
    WHERE b.typtype = 'e'
) e ON true
LEFT JOIN pg_class c ON c.relnamespace = t.relnamespace AND c.relname = w.name
LEFT JOIN pg_index i ON i.indexrelid = c.oid
ORDER BY w.position
"""

# Waits for all transactions that have used the table.
DROP_INDEX: Final = SQL("DROP INDEX CONCURRENTLY IF EXISTS {index}")

# Reads one row.
HAS_ROWS: Final = "SELECT EXISTS (SELECT FROM automation_executions) AS has_rows"

# What the planner knows, without locking or reading the table; `rows` is NULL where it was never
# analyzed.
TABLE_SIZE: Final = """
SELECT CASE WHEN reltuples >= 0 THEN reltuples::bigint END AS rows,
       pg_size_pretty(relpages * current_setting('block_size')::bigint) AS size
FROM pg_class WHERE oid = to_regclass('automation_executions')
"""

# Held until the transaction ends. Never waits: a statement that waits has a snapshot, for which
# CREATE INDEX CONCURRENTLY waits in turn, and PostgreSQL sees no deadlock where the lock is held by
# another session than the one that builds.
TRY_LOCK_BUILDS: Final = "SELECT pg_try_advisory_xact_lock(4158023871920416324) AS locked"

# Until the transaction ends, which does nothing while the indexes are built.
STAY_IDLE: Final = """
SELECT count(set_config(name, '0', true)) FROM pg_settings
WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')
"""

# Until the session ends; a build has no transaction that these could be limited to.
WITHOUT_TIME_LIMITS: Final = """
SELECT count(set_config(name, '0', false)) FROM pg_settings
WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout')
"""

# Until the session ends: a build whose client has vanished ends too. Fails where the server's
# operating system cannot tell that.
WITH_CLIENT_ONLY: Final = "SELECT set_config('client_connection_check_interval', '1s', false)"

# The session that builds an index on the table, if there is one whose role this one may look at. A
# second build at the same time would be a deadlock.
CURRENT_BUILD: Final = """
SELECT pid FROM pg_stat_progress_create_index
WHERE relid = to_regclass('automation_executions') AND datname = current_database()
LIMIT 1
"""

# How far the build is, and a session for which it waits. `pid` is that of the session which builds,
# or NULL behind a pooler. What the role may not see of other sessions is NULL. One row.
PROGRESS: Final = """
SELECT b.phase, b.percent, w.pid AS waits_for, a.application_name, a.state,
       round(extract(epoch FROM clock_timestamp() - a.xact_start))::bigint AS seconds
FROM (SELECT 1) one
LEFT JOIN (
    SELECT pid, phase, coalesce(
               blocks_done * 100 / nullif(blocks_total, 0),
               tuples_done * 100 / nullif(tuples_total, 0)
           ) AS percent
    FROM pg_stat_progress_create_index
    WHERE relid = to_regclass('automation_executions') AND datname = current_database()
    LIMIT 1
) b ON true
LEFT JOIN LATERAL (
    SELECT pid FROM unnest(pg_blocking_pids(coalesce(b.pid, %(pid)s))) AS pid LIMIT 1
) w ON true
LEFT JOIN pg_stat_activity a ON a.pid = w.pid
"""
