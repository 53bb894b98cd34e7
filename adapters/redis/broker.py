from collections.abc import Sequence
from typing import Final

from automation_retry.adapters.no_tables import NoTables
from automation_retry.adapters.redis import BROKER
from automation_retry.adapters.redis.connection import RedisConnection
from automation_retry.adapters.redis.readiness import RedisReadiness
from automation_retry.adapters.redis.settings import RedisSettings
from automation_retry.adapters.redis.streams import streams
from automation_retry.application import Message, MessageKind, MessageRefused
from automation_retry.application.ports import Broker, BrokerBundle

# Redis serves nobody else while a script runs; this many messages take about a millisecond.
_SCRIPT_MESSAGES: Final = 200


class RedisBroker(Broker):
    """Appends each message to the stream of its kind, and not again while its marker lives."""

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._streams = streams(connection.settings)

    async def send(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        stream = self._streams[messages[0].kind]
        bodies = [self._body(message) for message in messages]
        markers = [stream.marker(message.id) for message in messages]
        ttl_ms = int(self._connection.settings.marker_ttl_s * 1000)
        for start in range(0, len(messages), _SCRIPT_MESSAGES):
            part = slice(start, start + _SCRIPT_MESSAGES)
            async with self._connection.redis() as redis:
                await redis.register_script(stream.script)(
                    keys=[stream.key, *markers[part]],
                    args=[ttl_ms, *bodies[part], *stream.arguments],
                )

    def _body(self, message: Message) -> bytes:
        try:
            body = message.body.encode()
        except UnicodeEncodeError as error:
            raise MessageRefused(message.id, f"it is not JSON: {error}") from error
        limit = self._connection.settings.max_message_bytes
        if len(body) > limit:
            raise MessageRefused(message.id, f"its {len(body)} bytes are over the limit of {limit}")
        return body


def redis_broker(
    settings: RedisSettings, *, kinds: frozenset[MessageKind] = frozenset(MessageKind)
) -> BrokerBundle:
    """The broker, closed; its readiness covers the streams of `kinds`.

    Raises:
        ValueError: the URL is not one of Redis.
    """
    connection = RedisConnection(settings)
    return BrokerBundle(
        name=BROKER.name,
        broker=RedisBroker(connection),
        lifecycle=connection,
        schema=NoTables(),
        readiness=RedisReadiness(connection, kinds),
        channels={kind: one.channel for kind, one in streams(settings).items() if kind in kinds},
    )
