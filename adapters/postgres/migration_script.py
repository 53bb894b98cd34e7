"""The statements of a migration as a script for psql."""

from collections.abc import Iterable, Sequence
from typing import LiteralString

from psycopg import AsyncClientCursor

from automation_retry.adapters.postgres.connection import Connection
from automation_retry.adapters.postgres.indexes import IndexState, has_rows
from automation_retry.adapters.postgres.sql import indexes, schema
from automation_retry.adapters.postgres.sql.indexes import EXECUTION_INDEXES
from automation_retry.adapters.printable import printable


def migrations_script(
    connection: Connection, due: Sequence[tuple[str, LiteralString]], *, new: bool
) -> str:
    """One transaction; empty if nothing is due. `new`: it creates the table of executions."""
    if not due:
        return ""
    cursor = AsyncClientCursor(connection)
    return _script(
        [
            "BEGIN",
            schema.WITHOUT_TIMEOUTS,
            schema.LOCK_MIGRATIONS,
            schema.SHORT_LOCK_WAITS,
            schema.CREATE_MIGRATIONS,
            *(
                statement
                for name, text in due
                for statement in (
                    f"-- {name}\n{text}",
                    cursor.mogrify(schema.MARK_APPLIED, {"name": name}),
                )
            ),
            *(one.create().as_string() for one in EXECUTION_INDEXES if new),
            "COMMIT",
        ]
    )


async def indexes_script(connection: Connection, states: Sequence[IndexState]) -> str:
    """Statements that run outside a transaction; empty if nothing is due.

    What somebody has to care for is a comment.
    """
    lacking = [one for one in states if one.obstacle or one.is_lacking]
    if not lacking:
        return ""
    may_lock = lacking[0].is_partitioned and not await has_rows(connection)
    statements: list[str] = []
    comments: list[str] = []
    for one in lacking:
        if may_lock and not one.is_taken:
            statements.append(one.create.as_string(connection))
        elif one.obstacle:
            comments.append(f"-- {printable(one.obstacle)}\n")
        else:
            if one.is_interrupted:
                statements.append(one.drop.as_string(connection))
            statements.append(one.create_concurrently.as_string(connection))
    if statements and connection.own_session:
        statements.insert(0, indexes.WITHOUT_TIME_LIMITS)
    return "".join(comments) + _script(statements)


def _script(statements: Iterable[str]) -> str:
    return "".join(f"{one.strip().removesuffix(';')};\n" for one in statements)
