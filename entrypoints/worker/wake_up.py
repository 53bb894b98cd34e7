import asyncio

from attrs import field, frozen

from automation_retry.application import MessageKind


@frozen
class WakeUp:
    """Tells the relay loops of this process that messages were committed."""

    _events: dict[MessageKind, asyncio.Event] = field(
        init=False, factory=lambda: {kind: asyncio.Event() for kind in MessageKind}
    )

    def __call__(self) -> None:
        for event in self._events.values():
            event.set()

    async def wait(self, kind: MessageKind, seconds: float) -> bool:
        """Waits up to `seconds`; returns True at once if it was called since the last wait."""
        event = self._events[kind]
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return False
        event.clear()
        return True
