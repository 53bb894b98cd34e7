"""All that runs in a round, from the first request until every message is delivered."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Final
from uuid import UUID

import httpx
import psycopg
from attrs import define, field

from tests.crash import evidence
from tests.crash.broker_under_test import BrokerUnderTest, RoundDatabase
from tests.crash.clients import Clients
from tests.crash.consumer_log import ConsumerLog
from tests.crash.death import Death
from tests.crash.failing_engine import FailingEngine
from tests.crash.faults import Faults
from tests.crash.killable_postgres import KillablePostgres
from tests.crash.population import Population
from tests.crash.process_slot import ProcessSlot
from tests.crash.records import AttemptKey
from tests.crash.scenarios import Scenario, Target
from tests.crash.service_process import RELAY, SERVE, Program
from tests.crash.waiting import is_set_within
from tests.support.freezing_proxy import FreezingProxy

# A deferred trigger sleeps for a random time during the commit, after the outbox rows were written:
# they become visible in another order than that in which they were written.
LATE_COMMITS: Final = """
CREATE FUNCTION crash_test_wait() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(random() * 0.05); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER crash_test_wait AFTER INSERT ON automation_outbox
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crash_test_wait();
"""
_PUNCTUAL_COMMITS: Final = "DROP FUNCTION IF EXISTS crash_test_wait CASCADE"

_APIS = 2
_RELAYS = 2
_ANSWER_TIMEOUT_S = 30.0
_DELIVERY_TIMEOUT_S = 20.0
_RELAY_PAUSE_S = 12.0
_CONSUMER_PAUSE_S = 2.0
_CHECK_PAUSE_S = 0.05
_REPEAT_AFTER = frozenset({None, 409, 503})


@define(eq=False, kw_only=True)
class Participants:
    """Two APIs, two relays, consumers, an engine and clients, and the faults injected into them."""

    scenario: Scenario
    seed: str
    mutant: str | None
    broker: BrokerUnderTest
    postgres: KillablePostgres
    database: RoundDatabase
    variables: Mapping[str, str]
    population: Population
    proxy: FreezingProxy | None = None
    """Between the service and PostgreSQL, where the scenario has one."""
    log: ConsumerLog = field(init=False)
    clients: Clients = field(init=False)
    _began: float = field(factory=time.monotonic, init=False)
    _engine: FailingEngine = field(init=False)
    _apis: Sequence[ProcessSlot] = field(init=False)
    _relays: Sequence[ProcessSlot] = field(init=False)
    _faults: Faults = field(init=False)
    _enough: asyncio.Event = field(factory=asyncio.Event, init=False)
    settled: bool = field(default=True, init=False)
    """Whether everything was done in its time, the load having ended."""
    _settling: bool = field(default=False, init=False)
    """From now on, no process starts that kills itself."""

    def __attrs_post_init__(self) -> None:
        self._engine = FailingEngine(self.database, self._random("engine"))
        self.log = ConsumerLog(self._engine.execute)
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
            self.broker.server,
            self.proxy,
        )

    def _random(self, purpose: str) -> Random:
        """A generator for each purpose, so that its numbers do not depend on timing."""
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
                death=None if self._settling else death(random),
                by_outbox=command == SERVE and random.random() < self.scenario.share_by_outbox,
                log_fate=self.scenario.log_fate(random),
            )

        return ProcessSlot(name, next_program, lambda: self.scenario.restart_pause(random))

    async def run(self) -> None:
        """Returns when messages are delivered, or never will be, and all processes have ended."""
        for key in self._random("order").sample(
            self.population.executions, len(self.population.executions)
        ):
            self._engine.failed.put_nowait(key)
        self._began = time.monotonic()
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(limits=limits) as http,
            self.broker.consuming(self.database, self.log),
            asyncio.TaskGroup() as background,
        ):
            self.clients = self._new_clients(http)
            relays_down = self.scenario.broker_down and self.broker.server is None
            engine = background.create_task(self._engine.run())
            apis = [background.create_task(api.run()) for api in self._apis]
            relays = [] if relays_down else self._start_relays(background)
            await self._load()
            relays = relays or self._start_relays(background)
            try:
                async with asyncio.timeout(self.scenario.settles_within):
                    await self._settle()
                    # An API commits what it has in progress before it exits.
                    await _end(apis)
                    await self._is_drained()
            except TimeoutError:
                self.settled = False
            await _end([*apis, *relays, engine])

    def _new_clients(self, http: httpx.AsyncClient) -> Clients:
        return Clients(
            self._apis,
            self.population,
            self._engine,
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

    async def _load(self) -> None:
        """Sends requests and injects faults up to a limit; returns when all servers are up."""
        broker_down = self.scenario.broker_down and self.broker.server is not None
        if broker_down:
            await self._faults.kill_broker()
        schedule = self.scenario.faults(self._random("faults"), self._faults.targets)
        async with asyncio.TaskGroup() as load:
            load.create_task(self._faults.inject(schedule, self._enough, self._clock))
            clients = [
                load.create_task(self.clients.run(self._enough))
                for _ in range(self.scenario.clients)
            ]
            await is_set_within(self._enough, self.scenario.seconds)
            self._enough.set()
            _, late = await asyncio.wait(clients, timeout=_ANSWER_TIMEOUT_S)
            for client in late:
                client.cancel()
        if broker_down:
            await self._faults.start_broker()

    async def _settle(self) -> None:
        """Waits until all messages are delivered, or until it is clear that some never will be.

        The messages of an execution that is retried now are delivered after all that were committed
        before. So a message that three of them overtook, while no relay had it claimed, is lost.
        """
        self._settling = True
        for slot in self._dying_slots:
            slot.replace()
        async with await psycopg.AsyncConnection.connect(self.database.url) as connection:
            await connection.execute(_PUNCTUAL_COMMITS)
        for key in self.population.probes:
            # Each time: a relay that was just connecting is spared the first time.
            if self.proxy:
                self._faults.freeze()
            request = self.clients.request(key)
            while (await self.clients.retry(request)).status in _REPEAT_AFTER:  # noqa: ASYNC110 - HTTP
                await asyncio.sleep(_CHECK_PAUSE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(_DELIVERY_TIMEOUT_S):
                    await self.log.until(AttemptKey(key, 1))
            if not self.proxy and await self._is_drained():
                return
        if not await self._is_drained():
            await asyncio.sleep(self.broker.redelivers_within_s)

    async def _is_drained(self) -> bool:
        """Whether the outbox is empty and both messages of every archived attempt were received.

        Goes on while a relay has a claim, and for as long as relays and consumers may pause.
        """
        before, since = frozenset[UUID](), time.monotonic()
        while True:
            waiting = await evidence.waiting_messages(self.database.url)
            archived = await evidence.archived_attempts(self.database.url)
            if not waiting and all(self.log.has(row.attempt) for row in archived):
                return True
            if waiting != before or waiting != await evidence.unclaimed_messages(self.database.url):
                before, since = waiting, time.monotonic()
            if time.monotonic() - since > (_RELAY_PAUSE_S if waiting else _CONSUMER_PAUSE_S):
                return False
            await asyncio.sleep(_CHECK_PAUSE_S)

    @property
    def _dying_slots(self) -> Sequence[ProcessSlot]:
        """Those whose processes may still be about to kill themselves."""
        return [
            *(self._apis if self.scenario.api_dies else ()),
            *(self._relays if self.scenario.relay_dies_at else ()),
        ]

    @property
    def _slots(self) -> Sequence[ProcessSlot]:
        return [*self._apis, *self._relays]

    @property
    def endings(self) -> Sequence[str]:
        """Of processes that ended unexpectedly."""
        return [ending for slot in self._slots for ending in slot.endings]

    def counts(self) -> Counter[str]:
        """What happened how often."""
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
                "frozen connections": self._faults.frozen,
                "deaths at named points": sum(slot.died for slot in self._slots),
            }
        )


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
