"""A service on an `automation_executions` that another program made and writes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
from attrs import frozen
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier, Placeholder

from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.world import World, running_service

# As AlgaPSA documents them, without any constraint but the key.
COLUMNS: Mapping[str, str] = {
    "tenant": "uuid",
    "execution_id": "uuid",
    "automation_rule_id": "uuid",
    "trigger_data": "jsonb",
    "status": "text",
    "started_at": "timestamptz",
    "completed_at": "timestamptz",
    "duration_ms": "double precision",
    "actions_total": "integer",
    "actions_successful": "integer",
    "actions_failed": "integer",
    "error_message": "text",
    "error_stack": "text",
    "failed_action_index": "integer",
    "execution_context": "jsonb",
    "logs": "jsonb",
}


def create_types(url: str) -> None:
    """The types that columns of other programs have: enumerated, and domains over others."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TYPE execution_status AS ENUM ('running', 'failed', 'pending')")
        connection.execute("CREATE DOMAIN state AS execution_status")
        connection.execute("CREATE DOMAIN milliseconds AS numeric(12,3)")


def create_table(url: str, **types: str) -> None:
    """Creates `automation_executions`, some columns with other types."""
    columns = SQL(", ").join(
        SQL("{} {}").format(Identifier(name), SQL(type_))
        for name, type_ in {**COLUMNS, **types}.items()
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            SQL(
                "CREATE TABLE automation_executions ({}, PRIMARY KEY (tenant, execution_id))"
            ).format(columns)
        )


@frozen
class ForeignRows:
    """The rows of the table, and a service that works with them."""

    url: str
    world: World
    key: str

    def insert(self, **values: Any) -> UUID:
        """Adds a failed execution; values that are not given are NULL, except those required."""
        row = {
            "tenant": self.world.tenant,
            "execution_id": uuid4(),
            "automation_rule_id": uuid4(),
            "status": "failed",
            "actions_total": 3,
            **values,
        }
        statement = SQL("INSERT INTO automation_executions ({}) VALUES ({})").format(
            SQL(", ").join(map(Identifier, row)), SQL(", ").join(map(Placeholder, row))
        )
        self.execute(statement, row)
        execution_id: UUID = row["execution_id"]
        return execution_id

    def execute(self, statement: Any, parameters: Mapping[str, Any] | None = None) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            connection.execute("SET extra_float_digits = 3")
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def stored(self, execution_id: UUID, *columns: str) -> dict[str, Any]:
        """Those columns of a row, as text."""
        wanted = SQL(", ").join(
            SQL("{0}::text AS {0}").format(Identifier(column)) for column in columns
        )
        [row] = self.execute(
            SQL("SELECT {} FROM automation_executions WHERE execution_id = %(id)s").format(wanted),
            {"id": execution_id},
        )
        return dict(row)

    def archived(self, execution_id: UUID) -> list[dict[str, Any]]:
        """The rows of `automation_failed_attempts`, oldest first."""
        return self.execute(
            """
            SELECT attempt, extract(epoch FROM started_at)::text AS started_at,
                   extract(epoch FROM completed_at)::text AS completed_at, duration_ms,
                   actions_successful, actions_failed, error_message, failed_action_index
            FROM automation_failed_attempts WHERE execution_id = %(id)s ORDER BY attempt
            """,
            {"id": execution_id},
        )


@asynccontextmanager
async def foreign_rows(
    url: str, *, settings: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> AsyncIterator[ForeignRows]:
    """Migrates the database and serves it; `settings` become those of all new sessions."""
    environment = {"DATABASE_URL": url, "AUTOMATION_RETRY_RELAY": "false", **(variables or {})}
    await migrate_database(read_settings(environment))
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in settings:
            name = Identifier(connection.info.dbname)
            connection.execute(SQL("ALTER DATABASE {} SET " + setting).format(name))
    async with running_service(environment) as world:
        yield ForeignRows(url, world, await world.key())
