"""An automation engine that lets most runs fail, so that there is always something to retry."""

import asyncio
from random import Random
from typing import Final

import psycopg
from attrs import define, field, frozen

from tests.crash.broker_under_test import RoundDatabase
from tests.crash.records import AttemptKey, ExecutionKey, error_of

_SHARE_OF_SUCCESS = 0.02
_PAUSE_S = 0.1

# A result of an older generation, or the same result once more, changes nothing.
_REPORT: Final = """
UPDATE automation_executions e
SET status = r.status, completed_at = now(), error_message = r.error,
    duration_ms = greatest(0, extract(epoch FROM now() - started_at) * 1000),
    actions_failed = CASE r.status WHEN 'failed' THEN 1 ELSE 0 END
FROM unnest(%(tenants)s::uuid[], %(ids)s::uuid[], %(attempts)s::int[], %(statuses)s::text[],
            %(errors)s::text[]) AS r (tenant, execution_id, attempt, status, error)
WHERE e.tenant = r.tenant AND e.execution_id = r.execution_id
  AND e.retry_count = r.attempt AND e.status = 'pending'
"""


@frozen
class _Result:
    attempt: AttemptKey
    succeeded: bool

    @property
    def status(self) -> str:
        return "completed" if self.succeeded else "failed"

    @property
    def error(self) -> str | None:
        return None if self.succeeded else error_of(self.attempt.attempt)


@define(eq=False)
class FailingEngine:
    """Reports results fenced by `retry_count`, and repeats that until they are stored."""

    _database: RoundDatabase
    _random: Random
    failed: asyncio.Queue[ExecutionKey] = field(factory=asyncio.Queue, init=False)
    """Executions to be retried; one may be queued twice."""
    _results: asyncio.Queue[_Result] = field(factory=asyncio.Queue, init=False)
    _unstored: list[_Result] = field(factory=list, init=False)

    def execute(self, attempt: AttemptKey) -> None:
        """Runs a job at once."""
        succeeded = self._random.random() < _SHARE_OF_SUCCESS
        self._results.put_nowait(_Result(attempt, succeeded))

    def time_out(self, attempt: AttemptKey) -> None:
        """Fails a run as a watchdog does, even when its job has not been received yet."""
        self._results.put_nowait(_Result(attempt, succeeded=False))

    async def run(self) -> None:
        """Stores results until it is cancelled."""
        while True:
            await self._database.up.wait()
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._database.url, autocommit=True
                ) as connection:
                    await self._store(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                await asyncio.sleep(_PAUSE_S)

    async def _store(self, connection: psycopg.AsyncConnection) -> None:
        while True:
            if not self._unstored:
                self._unstored.append(await self._results.get())
            while not self._results.empty():
                self._unstored.append(self._results.get_nowait())
            await connection.execute(
                _REPORT,
                {
                    "tenants": [one.attempt.execution.tenant for one in self._unstored],
                    "ids": [one.attempt.execution.execution_id for one in self._unstored],
                    "attempts": [one.attempt.attempt for one in self._unstored],
                    "statuses": [one.status for one in self._unstored],
                    "errors": [one.error for one in self._unstored],
                },
            )
            for one in self._unstored:
                if not one.succeeded:
                    self.failed.put_nowait(one.attempt.execution)
            self._unstored.clear()
