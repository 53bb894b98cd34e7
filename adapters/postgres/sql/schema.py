"""`automation_retry_migrations`: which migrations were applied."""

from typing import Final

# Until the transaction ends: DDL may take longer than a request, and waits for another migration.
WITHOUT_TIMEOUTS: Final = """
SELECT count(set_config(name, '0', true)) FROM pg_settings
WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout')
"""

# Held until the transaction ends; a number that no other advisory lock is likely to use.
LOCK_MIGRATIONS: Final = "SELECT pg_advisory_xact_lock(4158023871920416322)"

# Until the transaction ends: whoever waits for a lock on a table holds up all who come later.
SHORT_LOCK_WAITS: Final = "SELECT set_config('lock_timeout', '1s', true)"

# Until the transaction ends; for what only looks.
READ_ONLY: Final = "SET TRANSACTION READ ONLY"

# Keeps a table that exists.
CREATE_MIGRATIONS: Final = """
CREATE TABLE IF NOT EXISTS automation_retry_migrations (
    name text PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""

# Whether APPLIED_MIGRATIONS can be asked, and where CREATE_MIGRATIONS would create its table.
MIGRATIONS_EXIST: Final = """
SELECT to_regclass('automation_retry_migrations') IS NOT NULL AS migrations_exist,
       current_setting('server_encoding') AS encoding,
       current_setting('search_path') AS search_path, quote_ident(current_schema()) AS schema,
       quote_ident(current_user) AS role,
       has_schema_privilege(current_schema(), 'CREATE') AS may_create
"""

# Fails where the table does not exist.
APPLIED_MIGRATIONS: Final = "SELECT name FROM automation_retry_migrations"

# One row for each migration of which a table, a column or a function does not exist; no locks.
MISSING_OBJECTS: Final = """
SELECT o.migration, array_agg(DISTINCT o.name) AS missing
FROM (
    SELECT w.migration,
           CASE WHEN c.oid IS NULL THEN w.name ELSE w.name || '.' || w.column_name END AS name
    FROM unnest(%(migrations)s::text[], %(tables)s::text[], %(columns)s::text[])
         AS w (migration, name, column_name)
    LEFT JOIN pg_class c ON c.oid = to_regclass(w.name)
    LEFT JOIN pg_attribute a
      ON a.attrelid = c.oid AND a.attname = w.column_name AND NOT a.attisdropped
    WHERE a.attnum IS NULL
    UNION ALL
    SELECT f.migration, f.signature
    FROM unnest(%(migrations_of_functions)s::text[], %(functions)s::text[])
         AS f (migration, signature)
    WHERE to_regprocedure(f.signature) IS NULL
) o
GROUP BY o.migration
ORDER BY o.migration
"""

# Callers hold LOCK_MIGRATIONS. Keeps what is marked already.
MARK_APPLIED: Final = """
INSERT INTO automation_retry_migrations (name) VALUES (%(name)s) ON CONFLICT DO NOTHING
"""
