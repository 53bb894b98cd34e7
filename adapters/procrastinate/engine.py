"""Job queue and event bus as Procrastinate tasks: nothing to run but PostgreSQL."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import procrastinate
import psycopg
from attrs import field, frozen
from procrastinate.exceptions import ConnectorException

from automation_retry.adapters.json_codec import EVENT_TYPE, message_body
from automation_retry.application import (
    EngineUnavailable,
    ExecutionJob,
    Message,
    MessageRefused,
    RetriedEvent,
)
from automation_retry.application.ports import EventBus, ExecutionQueue

JOB_QUEUE = "automation.executions"
JOB_TASK = "automation.execute_execution"
EVENT_QUEUE = "automation.events"
EVENT_TASK = EVENT_TYPE

Connect = Callable[[], AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]]
"""A connection to hand messages over on.

When it is the relay's own, the hand-over commits with the removal from the outbox: exactly once.
"""

# Values that PostgreSQL will never store; every other error may pass.
_REFUSALS = (psycopg.DataError, psycopg.IntegrityError)


def _app() -> procrastinate.App:
    # Never opened: every statement runs on a connection of `Connect`.
    return procrastinate.App(connector=procrastinate.PsycopgConnector())


@frozen
class _Deferrer:
    connect: Connect
    task: str
    queue: str
    app: procrastinate.App = field(factory=_app)

    async def defer(self, messages: Sequence[Message]) -> None:
        """All of them or, with an error, none: each attempt is a transaction or a savepoint."""
        async with self.connect() as connection:
            await self._defer(connection, messages)

    async def _defer(
        self, connection: psycopg.AsyncConnection[Any], messages: Sequence[Message]
    ) -> None:
        deferrer = self.app.configure_task(self.task, queue=self.queue, connection=connection)
        try:
            async with connection.transaction():
                await deferrer.batch_defer_async(*[message_body(message) for message in messages])
        except ConnectorException as error:
            if not isinstance(error.__cause__, _REFUSALS):
                raise EngineUnavailable("procrastinate", repr(error.__cause__)) from error
            if len(messages) == 1:
                raise MessageRefused(messages[0].id, repr(error.__cause__)) from error
            half = len(messages) // 2
            async with connection.transaction():  # finds out which one it is; the others go too
                await self._defer(connection, messages[:half])
                await self._defer(connection, messages[half:])


class ProcrastinateQueue(ExecutionQueue):
    """Task `automation.execute_execution` on queue `automation.executions`."""

    def __init__(self, connect: Connect) -> None:
        self._deferrer = _Deferrer(connect, JOB_TASK, JOB_QUEUE)

    async def enqueue(self, jobs: Sequence[ExecutionJob]) -> None:
        await self._deferrer.defer(jobs)


class ProcrastinateBus(EventBus):
    """Task `automation.execution.retried` on queue `automation.events`."""

    def __init__(self, connect: Connect) -> None:
        self._deferrer = _Deferrer(connect, EVENT_TASK, EVENT_QUEUE)

    async def publish(self, events: Sequence[RetriedEvent]) -> None:
        await self._deferrer.defer(events)
