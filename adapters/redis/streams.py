"""The streams, and the scripts that append to them.

Beside each stream a marker with a time to live is stored for every message, so that a message that
is sent again, because its acknowledgement was lost, is not added again. One script writes both, and
a Redis that loses its data loses both. A marker's name begins with the stream's in braces: a
cluster keeps the two in one hash slot. A maxmemory-policy that evicts volatile keys may drop
markers early; then a message may be added twice, and consumers deduplicate by its id.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from attrs import frozen

from automation_retry.adapters.redis.settings import EVENT_CHANNEL, RedisSettings
from automation_retry.adapters.wire.messages import EVENT_TYPE, Event, Job
from automation_retry.application import MessageKind
from automation_retry.application.ports import Channel

# KEYS: the stream, then a marker for each message. ARGV: the markers' time to live in ms, then the
# body of each message. The entry comes before its marker: when it cannot be added the script ends
# there, and a marker without its entry would make every later attempt skip the message.
_ADD_JOBS: Final = """
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    local entry = redis.call('XADD', KEYS[1], '*', 'job', ARGV[i])
    redis.call('SET', KEYS[i], entry, 'PX', ARGV[1])
  end
end
"""

# The same, followed by the stream's approximate maximum length and the channel.
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


@frozen(kw_only=True)
class Stream:
    key: str
    script: str
    """Appends messages to it, once each."""
    channel: Channel
    arguments: tuple[str | int, ...] = ()
    """Those of the script that follow the messages."""

    def marker(self, message_id: UUID) -> str:
        # A prefix with braces of its own has chosen the hash slot already.
        slot = self.key if "{" in self.key else f"{{{self.key}}}"
        return f"{slot}:taken:{message_id}"


def streams(settings: RedisSettings) -> Mapping[MessageKind, Stream]:
    """The stream of each kind of message.

    Jobs are entries `job <JSON>`; their stream is never trimmed. Events are entries
    `event <JSON> channel global`, as on AlgaPSA's event bus.
    """
    events = settings.event_stream(EVENT_TYPE)
    return {
        MessageKind.JOB: Stream(
            key=settings.job_stream,
            script=_ADD_JOBS,
            channel=Channel(
                address=settings.job_stream,
                protocol="redis",
                meaning="A stream; the field `job` of an entry is the message.",
                body=Job,
            ),
        ),
        MessageKind.EVENT: Stream(
            key=events,
            script=_ADD_EVENTS,
            arguments=(settings.stream_max_length, EVENT_CHANNEL),
            channel=Channel(
                address=events,
                protocol="redis",
                meaning="A stream, that of AlgaPSA's event bus; the field `event` of an entry is "
                f"the message, the field `channel` is `{EVENT_CHANNEL}`.",
                body=Event,
            ),
        ),
    }
