"""Whether row-level security hides from this service what it works with.

A hidden key would be an unknown one, and a hidden execution a missing one.
"""

from collections.abc import Sequence
from typing import Any, Final

import psycopg
from attrs import frozen
from psycopg.sql import SQL, Identifier

from automation_retry.adapters.rights import Right

# One row for each table of which policies restrict what the current role needs. `denied`: commands
# that no policy permits; `restricted`: those of which a policy may exclude rows. One that lets
# everything pass excludes none.
_POLICIES: Final = """
SELECT c.oid::regclass::text AS relation, s.nspname AS schema, c.relname AS name,
       quote_ident(current_user) AS role, current_setting('row_security') = 'off' AS is_off,
       string_agg(DISTINCT n.privilege, ', ' ORDER BY n.privilege)
           FILTER (WHERE NOT policies.permit) AS denied,
       string_agg(DISTINCT n.privilege, ', ' ORDER BY n.privilege)
           FILTER (WHERE policies.permit) AS restricted,
       bool_or(n.privilege = 'SELECT') AS hides,
       pg_relation_size(c.oid) > 0 OR EXISTS (
           SELECT FROM pg_partition_tree(c.oid) t WHERE pg_relation_size(t.relid) > 0
       ) AS is_filled
FROM unnest(%(relations)s::text[], %(privileges)s::text[]) AS n (relation, privilege)
JOIN pg_class c ON c.oid = to_regclass(n.relation)
JOIN pg_namespace s ON s.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(p.polpermissive AND 'false' <> ALL (p.conditions)), false)
               AND coalesce(bool_and(p.polpermissive OR 'false' <> ALL (p.conditions)), true)
               AS permit,
           coalesce(bool_or(p.polpermissive AND 'true' = ALL (p.conditions)), false) AS permit_all,
           coalesce(bool_or(NOT p.polpermissive AND 'true' <> ANY (p.conditions)), false)
               AS restrict
    FROM (
        SELECT a.polpermissive,
               CASE n.privilege
                   WHEN 'INSERT' THEN ARRAY[coalesce(e.written, e.seen)]
                   WHEN 'UPDATE' THEN ARRAY[e.seen, coalesce(e.written, e.seen)]
                   ELSE ARRAY[e.seen]
               END AS conditions
        FROM pg_policy a
        CROSS JOIN LATERAL (
            SELECT pg_get_expr(a.polqual, a.polrelid) AS seen,
                   pg_get_expr(a.polwithcheck, a.polrelid) AS written
        ) e
        WHERE a.polrelid = c.oid
          AND a.polcmd IN ('*', CASE n.privilege WHEN 'SELECT' THEN 'r' WHEN 'UPDATE' THEN 'w'
                                                 WHEN 'INSERT' THEN 'a' ELSE 'd' END)
          AND EXISTS (
              SELECT FROM unnest(a.polroles) AS r (role)
              WHERE r.role = 0 OR pg_has_role(current_user, r.role, 'USAGE')
          )
    ) p
) policies
WHERE row_security_active(c.oid)
  AND (policies.restrict OR NOT policies.permit_all OR current_setting('row_security') = 'off')
GROUP BY c.oid, s.nspname, c.relname
ORDER BY 1
"""
_VISIBLE: Final = SQL("SELECT EXISTS (SELECT FROM {table}) AS visible")


@frozen(kw_only=True)
class RowSecurity:
    """What policies do to the current role, in sentences that say what would help."""

    problems: Sequence[str]
    """What makes every retry fail: denied commands, and tables of which all rows are hidden."""
    warnings: Sequence[str]
    """Tables of which some rows may be hidden, or some changes refused."""


async def row_security(connection: Any, needed: Sequence[Right]) -> RowSecurity:
    """Policies that restrict the rights in `needed`.

    `connection` is an asynchronous one of psycopg whose rows are dictionaries. One query, and
    another one for each table whose policies may exclude rows.
    """
    cursor = await connection.execute(
        _POLICIES,
        {
            "relations": [right.on for right in needed],
            "privileges": [right.privilege for right in needed],
        },
    )
    problems: list[str] = []
    warnings: list[str] = []
    for row in await cursor.fetchall():
        if row["is_off"]:
            problems.append(
                f"The session of the role {row['role']} has row_security = off, with which "
                f"PostgreSQL refuses statements on {row['relation']}; run: "
                f"ALTER ROLE {row['role']} RESET row_security;"
            )
        elif row["denied"]:
            problems.append(_sentence(row, f"denies {row['denied']} on {row['relation']} to"))
        elif row["hides"] and row["is_filled"] and await _hides_all(connection, row):
            problems.append(_sentence(row, f"hides all rows of {row['relation']} from"))
        else:
            restricts = f"may restrict {row['restricted']} on {row['relation']} for"
            warnings.append(_sentence(row, restricts))
    return RowSecurity(problems=problems, warnings=warnings)


async def _hides_all(connection: Any, row: dict[str, Any]) -> bool:
    table = Identifier(row["schema"], row["name"])
    try:
        cursor = await connection.execute(_VISIBLE.format(table=table))
    except (psycopg.ProgrammingError, psycopg.DataError):
        return True  # a policy raised an error, as for a setting that nobody has made
    found = await cursor.fetchone()
    return not found["visible"]


def _sentence(row: dict[str, Any], does: str) -> str:
    return (
        f"Row-level security {does} the role {row['role']}; run as a superuser: "
        f"ALTER ROLE {row['role']} BYPASSRLS; or, unless a policy is restrictive: "
        f"CREATE POLICY automation_retry ON {row['relation']} TO {row['role']} USING (true);"
    )
