"""Everybody who takes part in a round, from the first request until everything has settled."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Final

import httpx
import psycopg
from attrs import define, field

from tests.crash import evidence
from tests.crash.clients import Clients
from tests.crash.consumer_log import ConsumerLog
from tests.crash.death import Death
from tests.crash.engine_under_test import EngineUnderTest, Storage
from tests.crash.failing_engine import FailingEngine
from tests.crash.faults import Faults
from tests.crash.killable_postgres import KillablePostgres
from tests.crash.population import Population
from tests.crash.process_slot import ProcessSlot
from tests.crash.records import AttemptKey
from tests.crash.scenarios import Scenario, Target
from tests.crash.service_process import RELAY, SERVE, Program
from tests.crash.waiting import happens_within

# Deferred to the commit, when the outbox rows have long been written, and shorter or longer by
# chance: so they become visible in another order than that in which they were written.
LATE_COMMITS: Final = """
CREATE FUNCTION crash_test_wait() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(random() * 0.05); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER crash_test_wait AFTER INSERT ON automation_outbox
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crash_test_wait();
"""
_PUNCTUAL_COMMITS: Final = "DROP FUNCTION IF EXISTS crash_test_wait CASCADE"

_APIS = 2
_RELAYS = 2
_LONGEST_SETTLING_S = 90.0
_LONGEST_ANSWER_S = 30.0
_LONGEST_DELIVERY_S = 20.0
_LOOKS = 4
_LOOK_PAUSE_S = 0.05
_ASK_AGAIN = frozenset({None, 409, 503})


@define(eq=False, kw_only=True)
class Stage:
    """Two APIs, two relays, consumers, an engine, clients, and what befalls them."""

    scenario: Scenario
    seed: str
    mutant: str | None
    engine: EngineUnderTest
    postgres: KillablePostgres
    storage: Storage
    variables: Mapping[str, str]
    population: Population
    log: ConsumerLog = field(init=False)
    clients: Clients = field(init=False)
    _began: float = field(factory=time.monotonic, init=False)
    _failing_engine: FailingEngine = field(init=False)
    _apis: Sequence[ProcessSlot] = field(init=False)
    _relays: Sequence[ProcessSlot] = field(init=False)
    _faults: Faults = field(init=False)
    _enough: asyncio.Event = field(factory=asyncio.Event, init=False)
    _calm: bool = field(default=False, init=False)
    """From here on no process starts that is to die."""

    def __attrs_post_init__(self) -> None:
        self._failing_engine = FailingEngine(self.storage, self._random("engine"))
        self.log = ConsumerLog(self._failing_engine.execute)
        self._apis = [
            self._slot(f"api {number}", SERVE, self.scenario.api_death) for number in range(_APIS)
        ]
        self._relays = [
            self._slot(f"relay {number}", RELAY, self.scenario.relay_death)
            for number in range(_RELAYS)
        ]
        self._faults = Faults(
            self._random("victims"),
            {Target.API: self._apis, Target.RELAY: self._relays},
            self.postgres,
            self.engine.broker,
        )

    def _random(self, purpose: str) -> Random:
        """Chance of one's own, so that nobody's draws depend on who is faster."""
        return Random(f"{self.seed}/{purpose}")

    def _clock(self) -> float:
        return time.monotonic() - self._began

    def _slot(
        self, name: str, command: Sequence[str], death: Callable[[Random], Death | None]
    ) -> ProcessSlot:
        random = self._random(name)

        def next_program() -> Program:
            return Program(
                command=command,
                variables=self.variables,
                mutant=self.mutant,
                death=None if self._calm else death(random),
                apart=self.scenario.apart and command == RELAY,
            )

        return ProcessSlot(name, next_program, lambda: self.scenario.restart_pause(random))

    async def play(self) -> None:
        """Returns when everything has come to rest, and all processes have ended."""
        for key in self._random("order").sample(
            self.population.executions, len(self.population.executions)
        ):
            self._failing_engine.failed.put_nowait(key)
        self._began = time.monotonic()
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(limits=limits) as http,
            self.engine.consuming(self.storage, self.log),
            asyncio.TaskGroup() as background,
        ):
            self.clients = self._new_clients(http)
            relays_away = self.scenario.engine_down and self.engine.broker is None
            engine = background.create_task(self._failing_engine.run())
            apis = [background.create_task(api.run()) for api in self._apis]
            relays = [] if relays_away else self._start_relays(background)
            await self._ask()
            relays = relays or self._start_relays(background)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_SETTLING_S):
                    await self._settle()
                    # What the APIs still had in hand is committed by their end.
                    await _end(apis)
                    await self._is_drained()
            await _end([*apis, *relays, engine])

    def _new_clients(self, http: httpx.AsyncClient) -> Clients:
        return Clients(
            self._apis,
            self.population,
            self._failing_engine,
            self._random("clients"),
            self.scenario,
            self._clock,
            http,
            self._on_answer,
        )

    def _start_relays(self, background: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        return [background.create_task(relay.run()) for relay in self._relays]

    def _on_answer(self) -> None:
        deaths = sum(slot.died for slot in self._slots)
        if self.scenario.is_enough(deaths=deaths, retries=self.clients.retried):
            self._enough.set()

    async def _ask(self) -> None:
        """Clients ask and faults strike, until it is enough; then everything is brought back."""
        broker_away = self.scenario.engine_down and self.engine.broker is not None
        if broker_away:
            await self._faults.kill_broker()
        schedule = self.scenario.faults(self._random("faults"), self._faults.targets)
        async with asyncio.TaskGroup() as asking:
            asking.create_task(self._faults.strike(schedule, self._enough, self._clock))
            clients = [
                asking.create_task(self.clients.run(self._enough))
                for _ in range(self.scenario.clients)
            ]
            await happens_within(self._enough, self.scenario.seconds)
            self._enough.set()
            _, late = await asyncio.wait(clients, timeout=_LONGEST_ANSWER_S)
            for client in late:
                client.cancel()
        if broker_away:
            await self._faults.start_broker()

    async def _settle(self) -> None:
        """Waits until nothing is left to deliver, or until it is clear that it never will be.

        An execution that is retried now is delivered after everything that was committed before; so
        what three of them have overtaken, while nobody had it in hand, is not delivered any more.
        """
        self._calm = True
        for slot in self._mortal:
            slot.replace()
        async with await psycopg.AsyncConnection.connect(self.storage.url) as connection:
            await connection.execute(_PUNCTUAL_COMMITS)
        for key in self.population.last_ones:
            request = self.clients.request(key)
            while (await self.clients.retry(request)).status in _ASK_AGAIN:  # noqa: ASYNC110 - HTTP
                await asyncio.sleep(_LOOK_PAUSE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_DELIVERY_S):
                    await self.log.until(AttemptKey(key, 1))
            if await self._is_drained():
                return
        await asyncio.sleep(self.engine.redelivers_within_s)

    async def _is_drained(self) -> bool:
        """Looks a few times whether the outbox is empty and everything archived has arrived.

        Looks on as long as a relay has something in hand.
        """
        looks = 0
        while looks < _LOOKS:
            waiting = await evidence.waiting_messages(self.storage.url)
            archived = await evidence.archived_attempts(self.storage.url)
            if not waiting and all(self.log.has(row.attempt) for row in archived):
                return True
            if waiting == await evidence.unclaimed_messages(self.storage.url):
                looks += 1
            await asyncio.sleep(_LOOK_PAUSE_S)
        return False

    @property
    def _mortal(self) -> Sequence[ProcessSlot]:
        """Those whose processes may be waiting for a point to die at."""
        return [
            *(self._apis if self.scenario.api_dies else ()),
            *(self._relays if self.scenario.relay_dies_at else ()),
        ]

    @property
    def _slots(self) -> Sequence[ProcessSlot]:
        return [*self._apis, *self._relays]

    @property
    def endings(self) -> Sequence[str]:
        """Of processes that nobody killed."""
        return [ending for slot in self._slots for ending in slot.endings]

    def counts(self) -> Counter[str]:
        """How much of everything there was."""
        answers = Counter(
            "lost" if a.status is None else str(a.status) for a in self.clients.answers
        )
        return Counter(
            {
                "requests": len(self.clients.answers),
                **{f"answers {status}": count for status, count in sorted(answers.items())},
                "answers replayed": sum(answer.replayed for answer in self.clients.answers),
                "deliveries": len(self.log.deliveries),
                "redeliveries": self.log.redeliveries,
                "kills api": sum(slot.killed for slot in self._apis),
                "kills relay": sum(slot.killed for slot in self._relays),
                "kills postgres": self._faults.postgres_kills,
                "kills broker": self._faults.broker_kills,
                "deaths at named points": sum(slot.died for slot in self._slots),
            }
        )


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
