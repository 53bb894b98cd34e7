"""Draining the outbox while an open transaction keeps its dead rows from being removed."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import psycopg
import uvloop

from automation_retry.application import Message, MessageKind, RelayOutbox
from automation_retry.application.ports import Broker
from automation_retry.entrypoints.lifecycle import open_container
from automation_retry.entrypoints.settings import read_settings
from tests.benchmarks.arena import Arena, Arenas
from tests.benchmarks.measured import Spread
from tests.benchmarks.plan import Plan
from tests.benchmarks.progress import tell
from tests.benchmarks.results import Draining
from tests.benchmarks.waiting_messages import fill_outbox, new_messages


class FreeBroker(Broker):
    """Accepts everything, and costs nothing."""

    async def send(self, messages: Sequence[Message]) -> None:
        pass


def measure(arenas: Arenas, plan: Plan) -> list[Draining]:
    """Drains fill after fill in one database, with such a transaction and without."""
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
    """Messages a second for each fill."""
    settings = read_settings({"DATABASE_URL": arena.url})
    rates = []
    async with open_container(settings) as container:
        brokers = dict.fromkeys(MessageKind, FreeBroker())
        relay = RelayOutbox(container.storage().outbox, brokers)
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
