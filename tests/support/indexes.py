"""The indexes of `automation_executions`, as the database has them."""

from typing import Final

import psycopg
from psycopg.sql import SQL

from tests.support.foreign_rows import create_table

INDEXES: Final = [
    "automation_retry_executions_started",
    "automation_retry_executions_rule",
    "automation_retry_executions_failed",
    "automation_retry_executions_group",
]


def valid_indexes(url: str) -> set[str]:
    """The names of those that are built completely."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE i.indrelid = 'automation_executions'::regclass AND i.indisvalid"
            " AND c.relname LIKE 'automation_retry_%'"
        ).fetchall()
    return {name for (name,) in rows}


def create_filled_table(url: str, rows: int = 1000, **types: str) -> None:
    """An `automation_executions` of another program, with failed and completed executions."""
    create_table(url, **types)
    insert(url, rows, types.get("status", "text"))


def insert(url: str, rows: int, status: str = "text") -> None:
    """Adds executions, every other one failed; `status` is the type of that column."""
    statement = SQL(
        "INSERT INTO automation_executions (tenant, execution_id, automation_rule_id, status,"
        " started_at, completed_at, actions_total, error_message)"
        " SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),"
        " CASE n %% 2 WHEN 0 THEN 'failed' ELSE 'completed' END::{status},"
        " timestamp '2026-11-26' + n * interval '1 second',"
        " timestamp '2026-11-27' + n * interval '1 second', 1, 'status code ' || n"
        " FROM generate_series(1, %s) AS n"
    ).format(status=SQL(status))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement, (rows,))
