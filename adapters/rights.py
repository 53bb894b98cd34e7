"""Rights that a PostgreSQL role needs, and the GRANT statements for those it lacks."""

from collections.abc import Sequence
from typing import Any, Final

from attrs import frozen


@frozen
class Right:
    """A privilege on a table or a sequence.

    With `columns`, having it on each of them suffices.
    """

    on: str
    """Its name, looked up by the search path; a missing object is no missing right."""
    privilege: str
    columns: Sequence[str | None] = (None,)


# For each privilege with the columns on which it is missing, if it is asked for by the column.
_MISSING: Final = """
SELECT m.relation, m.is_sequence, quote_ident(current_user) AS role,
       string_agg(m.privilege || m.columns, ', ' ORDER BY m.privilege) AS privileges
FROM (
    SELECT c.oid::regclass::text AS relation, c.relkind = 'S' AS is_sequence, n.privilege,
           coalesce(
               ' (' || string_agg(quote_ident(n.column_name), ', ' ORDER BY a.attnum) || ')', ''
           ) AS columns
    FROM unnest(%(relations)s::text[], %(privileges)s::text[], %(columns)s::text[])
         AS n (relation, privilege, column_name)
    JOIN pg_class c ON c.oid = to_regclass(n.relation)
    LEFT JOIN pg_attribute a
      ON a.attrelid = c.oid AND a.attname = n.column_name AND NOT a.attisdropped
    WHERE CASE
              WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(c.oid, n.privilege)
              WHEN n.column_name IS NULL THEN NOT has_table_privilege(c.oid, n.privilege)
              WHEN a.attnum IS NOT NULL THEN NOT has_column_privilege(c.oid, a.attnum, n.privilege)
          END
    GROUP BY c.oid, c.relkind, n.privilege
) m
GROUP BY m.relation, m.is_sequence
ORDER BY m.relation
"""

_UNCALLABLE: Final = """
SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY n.position) AS functions,
       quote_ident(current_user) AS role
FROM unnest(%(functions)s::text[]) WITH ORDINALITY AS n (signature, position)
JOIN pg_proc p ON p.oid = to_regprocedure(n.signature)
WHERE NOT has_function_privilege(p.oid, 'EXECUTE')
HAVING count(*) > 0
"""

_HIDDEN: Final = """
SELECT DISTINCT quote_ident(s.nspname) AS schema, quote_ident(current_user) AS role
FROM pg_class c
JOIN pg_namespace s ON s.oid = c.relnamespace
WHERE c.relname = ANY(%(relations)s) AND to_regclass(c.relname) IS NULL
  AND NOT has_schema_privilege(s.oid, 'USAGE')
"""


async def missing_rights(connection: Any, needed: Sequence[Right]) -> Sequence[str]:
    """A sentence for each table or sequence on which the connection's role lacks a right.

    `connection` is an asynchronous one of psycopg whose rows are dictionaries. One query.
    """
    each = [(right, column) for right in needed for column in right.columns]
    cursor = await connection.execute(
        _MISSING,
        {
            "relations": [right.on for right, _ in each],
            "privileges": [right.privilege for right, _ in each],
            "columns": [column for _, column in each],
        },
    )
    return [
        f"The role {row['role']} lacks {row['privileges']} on {row['relation']}; run: "
        f"GRANT {row['privileges']} ON {'SEQUENCE ' if row['is_sequence'] else ''}"
        f"{row['relation']} TO {row['role']};"
        for row in await cursor.fetchall()
    ]


async def uncallable_functions(connection: Any, needed: Sequence[str]) -> Sequence[str]:
    """One sentence about all functions that the connection's role may not call, if there are any.

    `needed` has names with the types of arguments, looked up by the search path; a function that is
    missing is no missing right. One query.
    """
    cursor = await connection.execute(_UNCALLABLE, {"functions": [*needed]})
    return [
        f"The role {row['role']} may not call {row['functions']}; run: "
        f"GRANT EXECUTE ON FUNCTION {row['functions']} TO {row['role']};"
        for row in await cursor.fetchall()
    ]


async def hidden_schemas(connection: Any, needed: Sequence[Right]) -> Sequence[str]:
    """A sentence for each schema that has these tables but that the role may not use."""
    relations = sorted({right.on for right in needed})
    cursor = await connection.execute(_HIDDEN, {"relations": relations})
    return [
        f"The role {row['role']} may not use the schema {row['schema']}; run: "
        f"GRANT USAGE ON SCHEMA {row['schema']} TO {row['role']};"
        for row in await cursor.fetchall()
    ]
