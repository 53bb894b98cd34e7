"""Job queue and event bus as streams.

Beside each stream Redis keeps a short-lived marker for every message that was added: handed over
again because an acknowledgement was lost, the message is not added again. One script writes both,
and when Redis loses its data both are lost. A marker's name begins with the stream's in braces, so
that a cluster keeps the two in one hash slot. Under a maxmemory-policy that evicts what expires,
markers may go early; a message may then be there twice, which consumers notice by its id.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import orjson
from attrs import frozen

from automation_retry.adapters.json_codec import EVENT_TYPE, message_json
from automation_retry.adapters.redis.connection import RedisConnection
from automation_retry.adapters.redis.health import server_problem, stream_problem
from automation_retry.adapters.redis.settings import EVENT_CHANNEL
from automation_retry.application import (
    EngineUnavailable,
    ExecutionJob,
    Message,
    MessageRefused,
    RetriedEvent,
)
from automation_retry.application.ports import EventBus, ExecutionQueue

# KEYS: the stream, then a marker for each message. ARGV: how many ms a marker lives, then the JSON
# of each message. The entry comes before its marker: when it cannot be added the script ends there,
# and a marker without its entry would make the next hand-over skip the message for good.
_ADD_JOBS: Final = """
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    local entry = redis.call('XADD', KEYS[1], '*', 'job', ARGV[i])
    redis.call('SET', KEYS[i], entry, 'PX', ARGV[1])
  end
end
"""

# The same, followed by about how many entries the stream keeps, and their channel.
_ADD_EVENTS: Final = """
local length, channel = ARGV[#ARGV - 1], ARGV[#ARGV]
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    local entry = redis.call(
      'XADD', KEYS[1], 'MAXLEN', '~', length, '*', 'event', ARGV[i], 'channel', channel)
    redis.call('SET', KEYS[i], entry, 'PX', ARGV[1])
  end
end
"""

# While a script runs Redis serves nobody else; this many messages take it about a millisecond.
_SCRIPT_MESSAGES: Final = 200


class RedisQueue(ExecutionQueue):
    """Entries `job <JSON>` in `<prefix>automation:executions`, a stream that is never trimmed."""

    def __init__(self, connection: RedisConnection) -> None:
        self._stream = _Stream(connection, connection.settings.job_stream, _ADD_JOBS)

    async def enqueue(self, jobs: Sequence[ExecutionJob]) -> None:
        await self._stream.add(jobs)

    async def problem(self) -> str | None:
        """What keeps jobs from being queued and kept now, as a sentence for an operator."""
        return await self._stream.problem()


class RedisBus(EventBus):
    """AlgaPSA's event bus: `event <JSON> channel global` in the stream of the event's type."""

    def __init__(self, connection: RedisConnection) -> None:
        settings = connection.settings
        self._stream = _Stream(
            connection,
            settings.event_stream(EVENT_TYPE),
            _ADD_EVENTS,
            (settings.stream_max_length, EVENT_CHANNEL),
        )

    async def publish(self, events: Sequence[RetriedEvent]) -> None:
        await self._stream.add(events)

    async def problem(self) -> str | None:
        """What keeps events from being published and kept now, as a sentence for an operator."""
        return await self._stream.problem()


@frozen
class _Stream:
    connection: RedisConnection
    key: str
    script: str
    arguments: Sequence[str | int] = ()
    """Those of the script that come after the messages."""

    async def add(self, messages: Sequence[Message]) -> None:
        """Adds in their order those that were not added before."""
        bodies = [self._body(message) for message in messages]
        markers = [self._marker(message.id) for message in messages]
        ttl_ms = int(self.connection.settings.marker_ttl_s * 1000)
        for start in range(0, len(messages), _SCRIPT_MESSAGES):
            part = slice(start, start + _SCRIPT_MESSAGES)
            async with self.connection.redis() as redis:
                await redis.register_script(self.script)(
                    keys=[self.key, *markers[part]],
                    args=[ttl_ms, *bodies[part], *self.arguments],
                )

    async def problem(self) -> str | None:
        try:
            async with self.connection.redis() as redis:
                return server_problem(await redis.info()) or stream_problem(
                    self.key, await redis.type(self.key)
                )
        except EngineUnavailable as unavailable:
            return f"Redis is unavailable: {unavailable.reason}."

    def _marker(self, message_id: UUID) -> str:
        # A prefix with braces of its own has chosen the hash slot already.
        slot = self.key if "{" in self.key else f"{{{self.key}}}"
        return f"{slot}:taken:{message_id}"

    def _body(self, message: Message) -> bytes:
        try:
            body = message_json(message)
        except orjson.JSONEncodeError as error:
            raise MessageRefused(message.id, f"it is not JSON: {error}") from error
        limit = self.connection.settings.max_message_bytes
        if len(body) > limit:
            raise MessageRefused(message.id, f"its {len(body)} bytes are over the limit of {limit}")
        return body
