"""Carries out a schedule of faults."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random

from attrs import define, field

from tests.crash.broker_under_test import BrokerServer
from tests.crash.killable_postgres import KillablePostgres
from tests.crash.process_slot import ProcessSlot
from tests.crash.scenarios import Fault, Target
from tests.crash.waiting import in_thread, is_set_within
from tests.support.freezing_proxy import FreezingProxy


@define(eq=False)
class Faults:
    """Kills servers and processes, and restarts them; what is down is not killed again.

    Connections that freeze stay frozen.
    """

    _random: Random
    _slots: Mapping[Target, Sequence[ProcessSlot]]
    _postgres: KillablePostgres
    _broker: BrokerServer | None
    _proxy: FreezingProxy | None
    postgres_kills: int = field(default=0, init=False)
    broker_kills: int = field(default=0, init=False)
    frozen: int = field(default=0, init=False)
    """Connections."""
    _broker_up: bool = field(default=True, init=False)

    @property
    def targets(self) -> list[Target]:
        """Those that exist."""
        missing = {
            target
            for target, exists in (
                (Target.BROKER, self._broker),
                (Target.CONNECTIONS, self._proxy),
            )
            if exists is None
        }
        return [target for target in Target if target not in missing]

    async def inject(
        self, faults: Sequence[Fault], stopping: asyncio.Event, clock: Callable[[], float]
    ) -> None:
        """Carries out the schedule until its end or `stopping`; returns when servers are up."""
        async with asyncio.TaskGroup() as outages:
            for fault in faults:
                if await is_set_within(stopping, fault.at - clock()):
                    break
                match fault.target:
                    case Target.POSTGRES if self._postgres.up.is_set():
                        outages.create_task(self._postgres_outage(fault.pause))
                    case Target.BROKER if self._broker_up:
                        outages.create_task(self._broker_outage(fault.pause))
                    case Target.CONNECTIONS:
                        self.freeze()
                    case Target.API | Target.RELAY:
                        slot = self._random.choice(self._slots[fault.target])
                        slot.kill(fault.pause)

    def freeze(self) -> None:
        assert self._proxy is not None
        self.frozen += self._proxy.connections
        self._proxy.freeze()

    async def _postgres_outage(self, seconds: float) -> None:
        self.postgres_kills += 1
        self._postgres.kill()
        await asyncio.sleep(seconds)
        await self._postgres.start()

    async def _broker_outage(self, seconds: float) -> None:
        await self.kill_broker()
        await asyncio.sleep(seconds)
        await self.start_broker()

    async def kill_broker(self) -> None:
        assert self._broker is not None
        self._broker_up = False
        self.broker_kills += 1
        await in_thread(self._broker.kill)

    async def start_broker(self) -> None:
        assert self._broker is not None
        await in_thread(self._broker.start)
        self._broker_up = True
