"""Whether PostgreSQL can be written to, and keeps what it acknowledged."""

from typing import Final

# The durability settings that are off, in this session or in a new one. Values set by ALTER ROLE or
# ALTER DATABASE apply to new sessions only; the most specific wins, and an option in the URL
# overrides them.
DURABILITY: Final = """
WITH vital AS (
    SELECT name, setting = 'off' AS off, source FROM pg_settings
    WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')
), chosen AS (
    SELECT DISTINCT ON (name) name, setting::text IN ('off', 'false', 'no', '0') AS off
    FROM pg_db_role_setting s
    CROSS JOIN unnest(s.setconfig) AS c (text)
    CROSS JOIN LATERAL (
        SELECT split_part(c.text, '=', 1) AS name, lower(split_part(c.text, '=', 2)) AS setting
    ) parts
    WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
    ORDER BY name, s.setrole <> 0 DESC, s.setdatabase <> 0 DESC
)
SELECT v.name
FROM vital v
LEFT JOIN chosen c ON c.name = v.name AND v.source <> 'client'
WHERE v.off OR c.off
ORDER BY v.name
"""

# Why nothing can be written, if so: as a standby, or by `default_transaction_read_only`.
WRITABLE: Final = """
SELECT pg_is_in_recovery() AS is_standby,
       current_setting('transaction_read_only') = 'on' AS is_read_only
"""
