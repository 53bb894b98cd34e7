"""Jobs and events as Procrastinate tasks: no server beside PostgreSQL is needed.

For messages that the commit did not hand over itself: those of an earlier version, or of a time
when another broker was chosen.
"""

from collections.abc import Sequence
from typing import Any

import procrastinate
import psycopg
from attrs import field, frozen
from procrastinate.exceptions import ConnectorException

from automation_retry.adapters.always_ready import AlwaysReady
from automation_retry.adapters.procrastinate import BROKER
from automation_retry.adapters.procrastinate.connection import Connect
from automation_retry.adapters.procrastinate.destinations import CHANNELS, DESTINATIONS
from automation_retry.adapters.procrastinate.retention import EventRetention
from automation_retry.adapters.procrastinate.schema import ProcrastinateSchema
from automation_retry.adapters.wire.messages import body_of
from automation_retry.application import (
    BrokerUnavailable,
    Message,
    MessageKind,
    MessageRefused,
)
from automation_retry.application.ports import Broker, BrokerBundle, Storage

EVENT_RETENTION_S = 604_800.0
# Values that PostgreSQL will never store; every other error may be temporary.
_REFUSALS = (psycopg.DataError, psycopg.IntegrityError)


def _app() -> procrastinate.App:
    # Never opened: every statement runs on a connection of the storage.
    return procrastinate.App(connector=procrastinate.PsycopgConnector())


@frozen
class ProcrastinateBroker(Broker):
    """Defers each message to the task and queue of its kind, with its body as arguments.

    After an error none of the messages is deferred: each call is a transaction or a savepoint.
    """

    _connect: Connect
    _app: procrastinate.App = field(factory=_app, init=False)

    async def send(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        bodies = [(message, _body(message)) for message in messages]
        async with self._connect() as connection:
            await self._defer(connection, bodies)

    async def _defer(
        self,
        connection: psycopg.AsyncConnection[Any],
        bodies: Sequence[tuple[Message, dict[str, Any]]],
    ) -> None:
        first, _ = bodies[0]
        to = DESTINATIONS[first.kind]
        deferrer = self._app.configure_task(to.task, queue=to.queue, connection=connection)
        try:
            async with connection.transaction():
                await deferrer.batch_defer_async(*[body for _, body in bodies])
        except ConnectorException as error:
            reason = _reason(error.__cause__)
            if not isinstance(error.__cause__, _REFUSALS):
                raise BrokerUnavailable(BROKER.name, reason) from error
            if len(bodies) == 1:
                raise MessageRefused(first.id, reason) from error
            half = len(bodies) // 2
            async with connection.transaction():  # finds the refused one, or defers both halves
                await self._defer(connection, bodies[:half])
                await self._defer(connection, bodies[half:])


def _reason(cause: BaseException | None) -> str:
    """Without PostgreSQL's details and context, which may quote a row."""
    message = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    return f"{type(cause).__name__}: {message or cause}"


def _body(message: Message) -> dict[str, Any]:
    try:
        return body_of(message)
    except ValueError as error:
        raise MessageRefused(message.id, f"it is not JSON: {error}") from error


def procrastinate_broker(
    storage: Storage,
    event_retention_s: float = EVENT_RETENTION_S,
    kinds: frozenset[MessageKind] = frozenset(MessageKind),
) -> BrokerBundle:
    """The broker in the storage's PostgreSQL; as the carrier of events it also removes old ones."""
    connect = storage.connection
    assert connect is not None, "this storage has no database"  # noqa: S101 - see BROKER.storages
    carries_events = MessageKind.EVENT in kinds
    resources = AlwaysReady()  # its connections are the storage's
    return BrokerBundle(
        name=BROKER.name,
        broker=ProcrastinateBroker(connect),
        lifecycle=resources,
        schema=ProcrastinateSchema(connect, expires_events=carries_events),
        readiness=resources,
        channels={kind: one for kind, one in CHANNELS.items() if kind in kinds},
        retention=EventRetention(connect, event_retention_s) if carries_events else None,
    )
