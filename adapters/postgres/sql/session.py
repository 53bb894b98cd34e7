"""What a new connection begins with."""

from typing import Final

# Whether the session is the connection's own: a pooler that gives each transaction another one has
# told the client a process id that is not PostgreSQL's. Settings are made in an own session only;
# those that the URL makes are kept.
BEGIN_SESSION: Final = """
SELECT own.session AS own_session, own.direct AS is_direct, (
    SELECT count(set_config(s.name, wanted.setting, false))
    FROM unnest(%(names)s::text[], %(settings)s::text[]) AS wanted (name, setting)
    JOIN pg_settings s ON s.name = wanted.name
    WHERE own.session AND s.source <> 'client'
) AS settings
FROM (
    SELECT pg_backend_pid() = %(backend_pid)s AS direct,
           coalesce(%(own_session)s::boolean, pg_backend_pid() = %(backend_pid)s) AS session
    OFFSET 0
) own
"""

# Until the transaction ends. A lock that is held too long is told from a query that takes too long.
# Compiling takes longer than most queries that it makes faster. Numbers as text are exact, so that
# a list goes on after the number at which it ended.
LIMIT_QUERY: Final = """
SELECT set_config('statement_timeout', %(ms)s, true), set_config('lock_timeout', %(lock_ms)s, true),
       set_config('jit', 'off', true), set_config('extra_float_digits', '1', true)
"""

# Until the transaction ends; those that this version of PostgreSQL knows.
LIMIT_TRANSACTION: Final = """
SELECT count(set_config(s.name, wanted.setting, true))
FROM unnest(%(names)s::text[], %(settings)s::text[]) AS wanted (name, setting)
JOIN pg_settings s ON s.name = wanted.name
"""
