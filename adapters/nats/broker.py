"""Sends messages to JetStream, which acknowledges each of them.

A message carries its id as `Nats-Msg-Id`: sent again within the duplicate window, it is not stored
twice. A restarted server knows only the ids of what is still stored: a job that was consumed before
the restart and is sent again after it is stored again, and consumers deduplicate by its id.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

import orjson

from automation_retry.adapters.nats import BROKER
from automation_retry.adapters.nats.cloud_event import CLOUD_EVENT, cloud_event
from automation_retry.adapters.nats.connection import NatsConnection
from automation_retry.adapters.nats.readiness import NatsReadiness
from automation_retry.adapters.nats.session import Reply, Request, Session
from automation_retry.adapters.nats.settings import NatsSettings
from automation_retry.adapters.nats.streams import Stream, channels, streams
from automation_retry.adapters.no_tables import NoTables
from automation_retry.application import (
    BrokerUnavailable,
    Message,
    MessageKind,
    MessageRefused,
)
from automation_retry.application.ports import Broker, BrokerBundle

# https://github.com/nats-io/nats-server/blob/main/server/errors.json
_TOO_LARGE: Final = 10054

# A server drops what exceeds its receive buffers, so unacknowledged messages are limited.
_IN_FLIGHT: Final = 256


class NatsBroker(Broker):
    """Publishes each message to the stream of its kind.

    Jobs as JSON on `<prefix>.executions.<tenant>`, in a work-queue stream; events as CloudEvents on
    `<prefix>.execution.retried.<tenant>`.
    """

    def __init__(self, connection: NatsConnection) -> None:
        self._connection = connection
        self._streams = streams(connection.settings)

    async def send(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        stream = self._streams[messages[0].kind]
        requests = {message.id: self._request(message, stream) for message in messages}
        async with self._connection.session(stream) as session:
            _refuse_too_large(requests, session.max_payload)
            # When a message in the middle of a group is not stored, those after it may be.
            for group in _groups(messages):
                replies = await session.request([requests[message.id] for message in group])
                _check(session, stream, group, replies)

    def _request(self, message: Message, stream: Stream) -> Request:
        try:
            payload, content_type = self._content(message)
        except KeyError as error:
            raise MessageRefused(message.id, f"its body lacks {error}") from error
        except ValueError as error:
            raise MessageRefused(message.id, f"it is not JSON: {error}") from error
        return Request(
            subject=stream.subject_of(message.tenant),
            payload=payload,
            headers={
                "Nats-Msg-Id": str(message.id),
                "Nats-Expected-Stream": stream.name,
                "Content-Type": content_type,
            },
        )

    def _content(self, message: Message) -> tuple[bytes, str]:
        """The payload and its media type."""
        if message.kind is MessageKind.JOB:
            return message.body.encode(), "application/json"
        source = self._connection.settings.event_source
        return orjson.dumps(cloud_event(message, source)), CLOUD_EVENT


def _refuse_too_large(requests: Mapping[UUID, Request], limit: int) -> None:
    # One that is too large makes the server close the connection, which fails the others too.
    for message_id, request in requests.items():
        if request.size > limit:
            reason = f"its {request.size} bytes are over the server's max_payload of {limit}"
            raise MessageRefused(message_id, reason)


def _groups(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Messages to have in flight together.

    Never two of one execution: the later one must not be stored without the earlier one.
    """
    group: dict[UUID, Message] = {}
    for message in messages:
        if message.execution_id in group or len(group) == _IN_FLIGHT:
            yield [*group.values()]
            group.clear()
        group[message.execution_id] = message
    yield [*group.values()]


def _check(
    session: Session, stream: Stream, group: Sequence[Message], replies: Sequence[Reply]
) -> None:
    """Raises an error unless the stream stored every message of the group."""
    refused: MessageRefused | None = None
    for message, reply in zip(group, replies, strict=True):
        error = reply.get("error", {})
        if error.get("err_code") == _TOO_LARGE:
            refused = refused or MessageRefused(message.id, error["description"])
        elif error or reply.get("stream") != stream.name:
            session.checked.discard(stream.name)
            reason = error.get("description", f"it was stored in {reply.get('stream')}")
            raise BrokerUnavailable(BROKER.name, f"{stream.name} did not store all: {reason}")
    if refused:
        raise refused


def nats_broker(
    settings: NatsSettings, *, kinds: frozenset[MessageKind] = frozenset(MessageKind)
) -> BrokerBundle:
    """The broker, closed; its readiness covers the streams of `kinds`."""
    connection = NatsConnection(settings)
    return BrokerBundle(
        name=BROKER.name,
        broker=NatsBroker(connection),
        lifecycle=connection,
        schema=NoTables(),
        readiness=NatsReadiness(connection, kinds),
        channels={kind: one for kind, one in channels(settings).items() if kind in kinds},
    )
