"""How often a statement that the server has refused is executed again."""

import asyncio
import random
from time import monotonic

from attrs import define, field

from automation_retry.adapters.postgres.errors import Again, again
from automation_retry.application import StorageUnavailable

_NEW_SESSIONS = 2
"""How often because of the session."""
_SHARED_CONFLICTS = 4
"""How often a shared statement because of conflicts."""
_PAUSE_S = 0.01
"""After a first conflict; doubled after each further one."""
_LONGEST_PAUSE_S = 0.2


@define(eq=False)
class Attempts:
    """The attempts at one statement."""

    _gives_up_at: float
    """By `time.monotonic`; for conflicts."""
    _shared: bool
    """Whether the requests of others wait for it; then a few conflicts are enough."""
    _failed: int = field(init=False, default=0)
    _pause_s: float = field(init=False, default=_PAUSE_S)

    async def pause_or_raise(self, unavailable: StorageUnavailable) -> None:
        """Returns when the statement is to be executed again, else raises `unavailable`."""
        why = again(unavailable.__cause__)
        self._failed += 1
        if why is None:
            raise unavailable
        if why is not Again.CONFLICT:
            if self._failed > _NEW_SESSIONS:
                raise unavailable
            return
        if monotonic() + self._pause_s > self._gives_up_at:
            raise unavailable
        if self._shared and self._failed > _SHARED_CONFLICTS:
            raise unavailable
        await asyncio.sleep(self._pause_s * (0.5 + random.random()))  # noqa: S311 - no secret
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
