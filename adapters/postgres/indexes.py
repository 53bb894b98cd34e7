"""Which indexes of `automation_executions` exist, are valid, and are those that we mean."""

import re
from collections.abc import Sequence
from typing import Final

from attrs import frozen
from psycopg.sql import SQL, Composed, Identifier

from automation_retry.adapters.postgres.connection import Connection
from automation_retry.adapters.postgres.sql import indexes as sql
from automation_retry.adapters.postgres.sql.indexes import EXECUTION_INDEXES, Index

# What PostgreSQL adds to a definition, depending on the types of columns and on the search path,
# and what an administrator may have chosen.
_ADDED: Final = re.compile(
    r"""
    \b(?:ONLY|IF\ NOT\ EXISTS)\b
    | \bWITH\ \([^)]*\)
    | (?:"(?:[^"]|"")+"|[\w$]+)\.             # schema of a table, function or type
    | ::(?:"(?:[^"]|"")+"\.)?[^,()=]+(?:\(\d+\))?[^,()=]*  # cast
    | [()\s]
    """,
    re.VERBOSE,
)


@frozen(kw_only=True)
class IndexState:
    """An index that `automation_executions` should have."""

    index: Index
    schema: str
    """Of the table, and so of the index."""
    is_partitioned: bool
    """Whether the table is."""
    is_taken: bool
    """Whether something has the index's name."""
    is_valid: bool
    definition: str | None
    """As PostgreSQL describes it; None where no index has the name."""
    is_failed: SQL | Composed
    """The condition for the table's type of `status`."""

    @property
    def is_other(self) -> bool:
        """Whether something else has its name."""
        return self.is_taken and _essence(self.definition or "") != _essence(self._create_text)

    @property
    def is_lacking(self) -> bool:
        """Whether it has to be built; an invalid one was left by a build that did not end."""
        return not self.is_other and not self.is_valid

    @property
    def is_interrupted(self) -> bool:
        return self.is_lacking and self.is_taken

    @property
    def create(self) -> Composed:
        return self.index.create(self.is_failed)

    @property
    def create_concurrently(self) -> Composed:
        return self.index.create_concurrently(self.is_failed)

    @property
    def _create_text(self) -> str:
        return self.create.as_string()

    @property
    def drop(self) -> Composed:
        return sql.DROP_INDEX.format(index=Identifier(self.schema, self.index.name))

    @property
    def obstacle(self) -> str | None:
        """Why somebody has to care for it, as a sentence that says how."""
        if self.is_other:
            found = self.definition or "which is no index"
            return (
                f"{self.index.name} exists with another definition ({found}); rename or drop it, "
                "then run `automation-retry migrate`."
            )
        if self.is_lacking and self.is_partitioned:
            first = f"run DROP INDEX {self.index.name}; " if self.is_taken else ""
            return (
                f"automation_executions is partitioned, so {self.index.name} cannot be built on it "
                f"concurrently; {first}build the same index on each partition with CREATE INDEX "
                "CONCURRENTLY, then run this, which attaches them: "
                f"{self._create_text};"
            )
        return None


def _essence(definition: str) -> str:
    return _ADDED.sub("", definition)


async def index_states(connection: Connection) -> Sequence[IndexState]:
    """One for each index; empty where the table does not exist. One query of the catalog."""
    indexes = {one.name: one for one in EXECUTION_INDEXES}
    cursor = await connection.execute(sql.INDEX_STATES, {"names": [*indexes]})
    return [
        IndexState(
            index=indexes[row["name"]],
            schema=row["schema"],
            is_partitioned=row["is_partitioned"],
            is_taken=row["is_taken"],
            is_valid=row["is_valid"],
            definition=row["definition"],
            is_failed=(
                sql.is_failed(row["enumeration_schema"], row["enumeration"])
                if row["enumeration"]
                else sql.IS_FAILED
            ),
        )
        for row in await cursor.fetchall()
    ]


async def has_rows(connection: Connection) -> bool:
    """Whether there are executions."""
    cursor = await connection.execute(sql.HAS_ROWS)
    row = await cursor.fetchone()
    return row is not None and bool(row["has_rows"])


async def index_warnings(connection: Connection) -> Sequence[str]:
    """What makes lists slow, in sentences that say what to do."""
    states = await index_states(connection)
    obstacles = [one.obstacle for one in states if one.obstacle]
    lacking = [one.index.name for one in states if one.is_lacking and not one.obstacle]
    if lacking:
        obstacles.append(
            f"automation_executions lacks {', '.join(lacking)}, or it is not built completely, so "
            "lists and failure groups are slow; run `automation-retry migrate`."
        )
    return obstacles


async def create_indexes(connection: Connection) -> Sequence[str]:
    """Builds them all in the transaction of `connection`; for a table that nobody uses yet."""
    for index in EXECUTION_INDEXES:
        await connection.execute(index.create())
    return [index.name for index in EXECUTION_INDEXES]
