"""Whether this service can work with tables that another program made."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from automation_retry.adapters.postgres.connection import Connection
from automation_retry.adapters.postgres.sql import column_types as sql
from automation_retry.adapters.postgres.sql.column_types import ENUM, SUPPORTED

_TABLES: Final = ("r", "p")
_KINDS: Final = {"v": "view", "m": "materialized view", "f": "foreign table"}
_ADDED_BY_MIGRATION: Final = ("automation_executions", "retry_count")
_SHOWN: Final = {
    "varchar": "varchar",
    "bpchar": "char",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    ENUM: "an enumerated type",
}
_EXECUTIONS: Final = "automation_executions"
_OWN_SCHEMA: Final = (
    "Change what does not fit, or give this service a schema of its own: CREATE SCHEMA "
    "automation_retry, and postgresql://…/DATABASE?options=-csearch_path%3Dautomation_retry as "
    "DATABASE_URL."
)


async def unsupported_tables(connection: Connection) -> Sequence[str]:
    """A sentence for each table, or column, that exists but cannot be used; and what would help."""
    wanted = [(relation, name) for relation, columns in SUPPORTED.items() for name in columns]
    cursor = await connection.execute(
        sql.COLUMN_TYPES,
        {
            "relations": [relation for relation, _ in wanted],
            "columns": [name for _, name in wanted],
        },
    )
    rows = await cursor.fetchall()
    others = [*_other_programs_tables(rows), *_other_types(rows)]
    return [*others, *([_OWN_SCHEMA] if others else ()), *_other_rules(rows)]


def _other_programs_tables(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    missing: dict[str, list[str]] = {}
    kinds = {row["relation"]: row["kind"] for row in rows}
    for row in rows:
        if row["type"] is None and (row["relation"], row["name"]) != _ADDED_BY_MIGRATION:
            missing.setdefault(row["relation"], []).append(row["name"])
    for relation, kind in kinds.items():
        if kind not in _TABLES:
            shown = _KINDS.get(kind, "relation of another kind")
            yield f"{relation} is a {shown}, and this service needs a table."
        elif relation in missing:
            names = ", ".join(missing[relation])
            yield f"The table {relation} has no column {names}, so it is another program's."


def _other_types(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows:
        supported = SUPPORTED[row["relation"]][row["name"]]
        if row["kind"] in _TABLES and row["type"] is not None and row["type"] not in supported:
            yield (
                f"The column {row['relation']}.{row['name']} has the type {row['shown']}; this "
                f"service works with {_one_of(supported)}."
            )


def _other_rules(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What makes PostgreSQL refuse every retry."""
    executions = [row for row in rows if row["relation"] == _EXECUTIONS and row["type"]]
    for row in executions:
        column = f"{_EXECUTIONS}.{row['name']}"
        if row["lacks"]:
            lacks = " and ".join(row["lacks"])
            yield (
                f"The type {row['shown']} of {column} lacks the value {lacks}; "
                "ALTER TYPE … ADD VALUE adds it."
            )
        if row["is_generated"] and row["name"] in sql.SET:
            yield f"The column {column} is generated, so no retry can set it."
        if row["not_null"] and row["name"] in sql.SET_NULL:
            yield (
                f"A retry sets {column} to NULL, which it excludes; run: ALTER TABLE "
                f"{_EXECUTIONS} ALTER COLUMN {row['name']} DROP NOT NULL;"
            )
    if any(row["excludes_null"] for row in executions):
        yield (
            f"A column of {_EXECUTIONS} has a domain that is NOT NULL, so a retry cannot make a "
            "row of its new values alone; declare the column NOT NULL instead of the domain."
        )
    if any(row["has_rules"] for row in executions):
        yield (
            f"The table {_EXECUTIONS} has a rule ON UPDATE, with which PostgreSQL refuses the "
            "statement of a retry; use a trigger instead."
        )


def _one_of(types: Collection[str]) -> str:
    *others, last = [_SHOWN.get(one, one) for one in types]
    return f"{', '.join(others)} or {last}" if others else last
