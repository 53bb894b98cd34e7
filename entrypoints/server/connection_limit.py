import logging
import resource
from collections.abc import Collection
from typing import Final, Protocol

from attrs import define, field

from automation_retry.adapters.log import log

_OTHER_DESCRIPTORS: Final = 48
"""Left for the log, libraries, brokers and connections that are being refused."""
_REFUSED_AT_ONCE: Final = 24
"""Connections that are told why they are refused; others are reset."""
_LEAST: Final = 16
_MOST: Final = 65_536
_LOG_EVERY_S: Final = 10.0


def most_connections(database_connections: int) -> int:
    """The number of clients' connections for which the process has file descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST
    left = soft - database_connections - _OTHER_DESCRIPTORS
    if left < _LEAST:
        needed = _LEAST + database_connections + _OTHER_DESCRIPTORS
        log(logging.WARNING, "few file descriptors", limit=soft, needed=needed)
    return min(_MOST, max(_LEAST, left))


class Waiting(Protocol):
    """A connection, as the limit sees it."""

    @property
    def waits_since(self) -> float | None:
        """Since when the client owes a request; None while one is worked on."""
        ...

    def close_waiting(self) -> None:
        """Ends it."""
        ...


@define(eq=False)
class ConnectionLimit:
    """How many connections may be open; those without a request give way to new ones."""

    most: int
    _logged_at: float = field(init=False, default=-_LOG_EVERY_S)

    def may_linger(self, connections: Collection[Waiting]) -> bool:
        """Whether there are descriptors to wait until a refused client has read the answer."""
        return len(connections) <= self.most + _REFUSED_AT_ONCE

    def admits(self, connections: Collection[Waiting], now: float) -> bool:
        """Whether the newest of the connections may stay.

        The one whose client has owed a request longest is closed for it.
        """
        if len(connections) <= self.most:
            return True
        owing = [one for one in connections if one.waits_since not in (None, now)]
        oldest = min(owing, key=lambda one: one.waits_since or 0.0, default=None)
        if now - self._logged_at >= _LOG_EVERY_S:
            self._logged_at = now
            log(
                logging.WARNING,
                "too many connections",
                limit=self.most,
                closed="the longest without a request" if oldest else "new ones",
            )
        if oldest is None:
            return False
        oldest.close_waiting()
        return True
