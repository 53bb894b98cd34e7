"""The outbox while a transaction stays open that keeps its dead rows from being removed."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import psycopg
import uvloop

from automation_retry.application import ExecutionJob, MessageKind, RelayOutbox, RetriedEvent
from automation_retry.application.ports import EventBus, ExecutionQueue
from automation_retry.entrypoints.lifecycle import open_container
from automation_retry.entrypoints.settings import read_settings
from tests.benchmarks.arena import Arena, Arenas
from tests.benchmarks.measured import Spread
from tests.benchmarks.plan import Plan
from tests.benchmarks.progress import tell
from tests.benchmarks.results import Draining
from tests.benchmarks.waiting_messages import fill_outbox, new_messages


class EverythingTaken(ExecutionQueue, EventBus):
    """An engine that costs nothing."""

    async def enqueue(self, jobs: Sequence[ExecutionJob]) -> None:
        pass

    async def publish(self, events: Sequence[RetriedEvent]) -> None:
        pass


def measure(arenas: Arenas, plan: Plan) -> list[Draining]:
    """Fill after fill is drained in one database, with such a transaction and without."""
    drained = []
    for old_transaction in (False, True):
        tell(f"draining the outbox, {'with' if old_transaction else 'without'} an old transaction")
        arena = arenas.new()
        with _transaction_open(arena) if old_transaction else nullcontext():
            rates = uvloop.run(_drained(arena, plan))
        drained.append(Draining(old_transaction=old_transaction, per_second=Spread(rates)))
        arenas.drop(arena)
    return drained


@contextmanager
def _transaction_open(arena: Arena) -> Iterator[None]:
    with psycopg.connect(arena.url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT count(*) FROM automation_outbox")  # takes its snapshot
        yield


async def _drained(arena: Arena, plan: Plan) -> list[float]:
    """Messages a second out of each fill."""
    settings = read_settings({"DATABASE_URL": arena.url})
    rates = []
    async with open_container(settings) as container:
        relay = RelayOutbox(container.outbox(), EverythingTaken(), EverythingTaken())
        for _ in range(plan.drain_fills):
            messages = new_messages(plan.drain_messages // 2)
            await asyncio.to_thread(fill_outbox, arena, messages)
            began = time.perf_counter()
            await asyncio.gather(*(_drain(relay, kind, plan.relay_batch) for kind in MessageKind))
            rates.append(len(messages) / (time.perf_counter() - began))
    return rates


async def _drain(relay: RelayOutbox, kind: MessageKind, batch: int) -> None:
    while (await relay(kind, batch)).settled:
        pass
