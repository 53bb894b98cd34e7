"""The loop around `RelayOutbox`: when to look, when to wait, when to stop."""

import asyncio
import random
from collections.abc import Callable

import structlog
from attrs import define, field, frozen

from automation_retry.application import (
    EngineUnavailable,
    ExpireIdempotencyKeys,
    MessageKind,
    RelayOutbox,
    StorageUnavailable,
)

_log = structlog.get_logger()

_FIRST_DELAY = 0.1
_LONGEST_DELAY = 10.0
_HOUSEKEEPING = 60.0


@frozen
class WakeUp:
    """Tells the relay of this process that there is something to do."""

    _events: dict[MessageKind, asyncio.Event] = field(
        factory=lambda: {kind: asyncio.Event() for kind in MessageKind}
    )

    def __call__(self) -> None:
        for event in self._events.values():
            event.set()

    async def wait(self, kind: MessageKind, seconds: float) -> None:
        """Returns after `seconds`, or as soon as it was called since the last wait."""
        event = self._events[kind]
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return
        event.clear()


@define
class Relay:
    """Relays jobs and events side by side, so that one engine's outage does not hold up the other.

    Runs until `stop`; then what is being handed over is finished first.
    """

    _relay_outbox: RelayOutbox
    _expire_idempotency_keys: ExpireIdempotencyKeys
    _wake_up: WakeUp
    _batch: int
    _poll: float
    """Seconds between looks while there is nothing to do."""
    _random: Callable[[], float] = random.random
    _stopping: asyncio.Event = field(factory=asyncio.Event, init=False)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for kind in MessageKind:
                tasks.create_task(self._run(kind), name=f"relay {kind.value}")
            tasks.create_task(self._keep_house(), name="housekeeping")

    def stop(self) -> None:
        self._stopping.set()
        self._wake_up()

    async def _run(self, kind: MessageKind) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                relayed = await self._relay_outbox(kind, self._batch)
            except (EngineUnavailable, StorageUnavailable) as error:
                _log.warning("relay waits", kind=kind.value, reason=error.reason)
                failures += 1
            except Exception:  # noqa: BLE001
                # Whatever it is, giving up would strand every later message.
                _log.exception("relay failed", kind=kind.value)
                failures += 1
            else:
                failures = 0
                if relayed.settled:
                    _log.info(
                        "relayed",
                        kind=kind.value,
                        delivered=relayed.delivered,
                        refused=relayed.refused,
                    )
                if relayed.settled < self._batch:
                    await self._wake_up.wait(kind, self._poll)
                continue
            await self._back_off(failures)

    async def _keep_house(self) -> None:
        while not self._stopping.is_set():
            try:
                if removed := await self._expire_idempotency_keys():
                    _log.info("idempotency keys expired", removed=removed)
            except StorageUnavailable as error:
                _log.warning("housekeeping waits", reason=error.reason)
            except Exception:  # noqa: BLE001
                _log.exception("housekeeping failed")
            await self._pause(_HOUSEKEEPING)

    async def _back_off(self, failures: int) -> None:
        """Waits up to twice as long after each failure, with jitter, so that relays spread out."""
        await self._pause(min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(failures, 10)))

    async def _pause(self, longest: float) -> None:
        try:
            async with asyncio.timeout(longest * (0.5 + self._random() / 2)):
                await self._stopping.wait()
        except TimeoutError:
            return
