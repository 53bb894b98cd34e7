from collections.abc import Sequence

from attrs import frozen

from automation_retry.adapters.nats.connection import NatsConnection, StreamUnsuitable
from automation_retry.adapters.nats.streams import streams
from automation_retry.application import BrokerUnavailable, MessageKind
from automation_retry.application.ports import Readiness


@frozen
class NatsReadiness(Readiness):
    """Whether NATS can keep messages of these kinds. Streams that are missing are created."""

    connection: NatsConnection
    kinds: frozenset[MessageKind]

    async def problems(self) -> Sequence[str]:
        """The problems of the streams; an outage of the server is listed once, as the last."""
        problems = list[str]()
        for kind, stream in streams(self.connection.settings).items():
            if kind not in self.kinds:
                continue
            try:
                async with self.connection.session(stream, recheck=True):
                    pass
            except StreamUnsuitable as unsuitable:
                problems.append(f"NATS is unavailable: {unsuitable.reason}.")
            except BrokerUnavailable as unavailable:
                return [*problems, f"NATS is unavailable: {unavailable.reason}."]
        return problems
