import asyncio
import logging
import random

from attrs import define, field

from automation_retry.adapters.log import log
from automation_retry.application import (
    BrokerUnavailable,
    MessageKind,
    Relayed,
    RelayOutbox,
    StorageUnavailable,
)
from automation_retry.entrypoints.worker.loop import Loop
from automation_retry.entrypoints.worker.pause import Backoff, Random
from automation_retry.entrypoints.worker.wake_up import WakeUp


@define(eq=False)
class RelayLoop(Loop):
    """Relays the messages of one kind, so that one broker's outage does not delay the other's."""

    _kind: MessageKind
    _relay_outbox: RelayOutbox
    _wake_up: WakeUp
    _batch: int = field(kw_only=True)
    _poll_s: float = field(kw_only=True)
    """Seconds until it looks again; they double while it finds nothing, up to `idle_poll_s`. A
    commit of this process that leaves messages ends the wait."""
    _idle_poll_s: float = field(kw_only=True, default=1.0)
    _random: Random = field(kw_only=True, default=random.random)
    name: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.name = f"relay {self._kind.value}s"

    async def run(self, stopping: asyncio.Event) -> None:
        backoff = Backoff(self._random)
        poll_s = self._poll_s
        while not stopping.is_set():
            try:
                relayed = await self._relay_outbox(self._kind, self._batch)
            except (BrokerUnavailable, StorageUnavailable) as error:
                log(logging.WARNING, "relay waits", kind=self._kind.value, reason=error.reason)
                await backoff.pause(stopping)
            except Exception:  # noqa: BLE001
                # Whatever it is, giving up would strand all later messages.
                log(logging.ERROR, "relay failed", kind=self._kind.value, exc_info=True)
                await backoff.pause(stopping)
            else:
                backoff.reset()
                self._log_settled(relayed)
                if relayed.settled:
                    poll_s = self._poll_s
                if relayed.settled < self._batch:
                    woken = await self._wake_up.wait(self._kind, poll_s)
                    longest_s = max(self._poll_s, self._idle_poll_s)
                    poll_s = self._poll_s if woken else min(poll_s * 2, longest_s)

    def _log_settled(self, relayed: Relayed) -> None:
        if relayed.settled:
            log(
                logging.INFO,
                "relayed",
                kind=self._kind.value,
                delivered=relayed.delivered,
                refused=relayed.refused,
            )
