"""Waiting inside loops: a stop ends every pause at once."""

import asyncio
from collections.abc import Callable

from attrs import define, field

Random = Callable[[], float]
"""A random number from 0 to 1."""

_FIRST_S = 0.2
_LONGEST_S = 5.0


async def pause(stopping: asyncio.Event, longest_s: float, random: Random) -> None:
    """Waits between half of `longest_s` and all of it, so that processes do not act in step."""
    try:
        async with asyncio.timeout(longest_s * (0.5 + random() / 2)):
            await stopping.wait()
    except TimeoutError:
        return


@define
class Backoff:
    """Pauses that double with each failure in a row, from 0.2 s to 5 s."""

    _random: Random
    _next_s: float = field(init=False, default=_FIRST_S)

    def reset(self) -> None:
        self._next_s = _FIRST_S

    async def pause(self, stopping: asyncio.Event) -> None:
        longest_s, self._next_s = self._next_s, min(_LONGEST_S, self._next_s * 2)
        await pause(stopping, longest_s, self._random)
