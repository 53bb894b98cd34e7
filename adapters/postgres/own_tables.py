"""What the migrations create, so that what was lost since is noticed and created again."""

from collections.abc import Mapping, Sequence
from typing import Final

from automation_retry.adapters.postgres.connection import Connection
from automation_retry.adapters.postgres.sql import schema as sql

CREATED_BY: Final[Mapping[str, Mapping[str, Sequence[str]]]] = {
    "0001_identity": {
        "tenants": ("tenant",),
        "users": ("tenant",),
        "roles": ("tenant",),
        "user_roles": ("tenant",),
        "permissions": ("tenant",),
        "role_permissions": ("tenant",),
        "api_keys": ("tenant",),
    },
    "0002_executions": {
        "automation_executions": ("retry_count",),
        "automation_failed_attempts": (
            "tenant",
            "execution_id",
            "attempt",
            "retried_at",
            "retried_by",
            "api_key_id",
            "request_id",
            "started_at",
            "completed_at",
            "duration_ms",
            "actions_successful",
            "actions_failed",
            "error_message",
            "error_stack",
            "failed_action_index",
        ),
        "automation_outbox": (
            "tenant",
            "id",
            "kind",
            "execution_id",
            "attempt",
            "body",
            "enqueued_at",
            "dead_at",
            "dead_reason",
        ),
    },
    "0003_idempotency_keys": {
        "automation_idempotency_keys": (
            "tenant",
            "caller",
            "key",
            "retried_at",
            "execution_id",
            "execution",
        ),
    },
    "0005_delivery_status": {"automation_delivery_failures": ("kind", "reason", "failed_at")},
    "0006_rows_as_they_are": {"automation_failed_attempts": ("out_of_range",)},
    "0008_bulk_retry": {
        "automation_failed_attempts": ("reason", "reservation_id"),
        "automation_idempotency_keys": ("request", "answer", "holder", "held_until"),
    },
}
"""The tables of each migration and their columns: of AlgaPSA's those that a migration adds, or one
by which the table is known; `column_types` examines the others."""

FUNCTIONS_OF: Final[Mapping[str, Sequence[str]]] = {
    "0007_failure_groups": (
        "automation_retry_failure_pattern(text)",
        "automation_retry_failure_group(uuid, text)",
        "automation_retry_failed_at(timestamptz, timestamptz)",
        "automation_retry_failed_at(timestamp, timestamp)",
        "automation_retry_failed_at(timestamptz, timestamp)",
        "automation_retry_failed_at(timestamp, timestamptz)",
    )
}
"""The functions of each migration, with the types of their arguments."""


async def incomplete(connection: Connection) -> Mapping[str, Sequence[str]]:
    """The migrations of which something is missing, with what it is.

    That is `TABLE`, `TABLE.COLUMN` or `FUNCTION(TYPES)`.
    """
    wanted = [
        (migration, table, column)
        for migration, tables in CREATED_BY.items()
        for table, columns in tables.items()
        for column in columns
    ]
    migrations, tables, columns = zip(*wanted, strict=True)
    functions = [
        (migration, function) for migration, names in FUNCTIONS_OF.items() for function in names
    ]
    cursor = await connection.execute(
        sql.MISSING_OBJECTS,
        {
            "migrations": [*migrations],
            "tables": [*tables],
            "columns": [*columns],
            "migrations_of_functions": [migration for migration, _ in functions],
            "functions": [function for _, function in functions],
        },
    )
    return {row["migration"]: row["missing"] for row in await cursor.fetchall()}
