"""Queries whose cost depends on what they ask for."""

from time import monotonic
from typing import LiteralString

import psycopg
from attrs import frozen
from psycopg.rows import DictRow

from automation_retry.adapters.postgres.attempts import Attempts
from automation_retry.adapters.postgres.database import Database, Parameters
from automation_retry.adapters.postgres.errors import connection_lost, described
from automation_retry.adapters.postgres.sql.session import LIMIT_QUERY
from automation_retry.application import QueryTooBroad, StorageUnavailable

_CANCELS_WITHIN_S = 1.0
"""How long the server may take to cancel a query whose time is over."""


class ParameterRefused(Exception):
    """PostgreSQL cannot read a parameter as a value of its column's type."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@frozen
class LimitedQueries:
    """Queries that only read, each in a transaction of its own with a time limit of the server.

    There a pooler keeps it as well.
    """

    database: Database
    seconds: float

    async def fetch(self, statement: LiteralString, parameters: Parameters) -> list[DictRow]:
        """The rows; planned for these parameters each time.

        Raises:
            QueryTooBroad: it takes longer than `seconds`.
            ParameterRefused: a parameter is no value of its column.
            StorageUnavailable: the storage did not answer.
        """
        attempts = Attempts(monotonic() + self.seconds, shared=False)
        checked = False
        while True:
            began = monotonic()
            try:
                return await self._fetch(statement, parameters)
            except StorageUnavailable as unavailable:
                cause = unavailable.__cause__
                if isinstance(cause, psycopg.errors.QueryCanceled):
                    if monotonic() - began < self.seconds:
                        raise  # by an administrator
                    raise QueryTooBroad(self.seconds) from unavailable
                if connection_lost(cause) and not checked:
                    checked = True
                    await self.database.check()
                else:
                    await attempts.pause_or_raise(unavailable)

    async def _fetch(self, statement: LiteralString, parameters: Parameters) -> list[DictRow]:
        async with self.database.connection() as connection, connection.transaction():
            connection.answer_within = self.seconds + _CANCELS_WITHIN_S
            ms = round(self.seconds * 1000)
            await connection.execute(LIMIT_QUERY, {"ms": str(ms), "lock_ms": str(ms // 2)})
            cursor = connection.cursor(binary=True)
            try:
                await cursor.execute(statement, parameters, prepare=False)
            except psycopg.DataError as error:
                raise ParameterRefused(described(error)) from None  # it may quote a row
            except UnicodeEncodeError:
                raise ParameterRefused("a parameter has half of a surrogate pair") from None
            return await cursor.fetchall()
