"""How far a client has come with its request, and with taking the answer."""

from typing import Final

from attrs import define, frozen

from automation_retry.entrypoints.server.refusals import MAX_HEAD_BYTES

_FRAMING_OF_A_BYTE: Final = 8
"""Of a body in chunks of one byte."""
_MAX_CHUNKED_BYTES: Final = 1024 * 1024
"""Of a body, whose framing may be as large as that of single bytes."""


@frozen(kw_only=True)
class TimeLimits:
    """How long a client may take, in seconds."""

    head: float = 10.0
    """From the connection, or the first byte of a further request, to the end of the headers."""
    body: float = 30.0
    """From there to the end of the body."""
    answer: float = 30.0
    """Without taking anything of an answer."""
    linger: float = 2.0
    """What a refused client still sends is read for so long: a reset could overtake the answer."""


@define(eq=False)
class Head:
    """Request line and headers."""

    since: float | None = None
    """Since when they are awaited, if not on an idle connection."""
    has_begun: bool = False
    requests: int = 0
    """Those whose first byte has arrived."""
    at_least: int = 0
    """Bytes of it: those of all pieces but the one in which it began."""
    at_most: int = 0
    """Bytes of it: those of all pieces, which may also hold other requests."""

    def begin(self, now: float) -> None:
        self.requests += 1
        self.has_begun = True
        self.at_least = 0
        if self.since is None:
            self.since = now

    def end(self) -> None:
        self.has_begun = False
        self.since = None
        self.at_most = 0


@define(eq=False)
class Body:
    since: float | None = None
    """Since when it is awaited; None after it has arrived."""
    framed: int = 0
    """Bytes with chunk sizes, extensions and trailers, but for the piece with the headers."""
    received: int = 0
    """Bytes of the body itself."""

    def begin(self, now: float) -> None:
        self.since = now
        self.framed = self.received = 0

    @property
    def framing_is_excessive(self) -> bool:
        """Whether there is much more of it than chunks of single bytes need."""
        framing = self.framed - self.received
        return framing > MAX_HEAD_BYTES + _FRAMING_OF_A_BYTE * min(
            self.received, _MAX_CHUNKED_BYTES
        )


@define(eq=False)
class Answers:
    last_at: float | None = None
    """When the last one was complete."""
    unsent: int = 0
    _taken_at: float = 0.0
    """When the client took something last, or nothing waited for it."""

    def wait_s(self, unsent: int, now: float) -> float:
        """For how long the client has taken nothing of the `unsent` bytes; called regularly."""
        if not (unsent and self.unsent) or unsent < self.unsent:
            self._taken_at = now
        self.unsent = unsent
        return now - self._taken_at if unsent else 0.0
