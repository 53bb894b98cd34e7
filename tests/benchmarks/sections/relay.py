"""The relay as `serve` runs it, and the bare client in batches: throughput, and lag of a job.

Both send jobs and events concurrently, and begin with bodies as JSON text.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import orjson
import uvloop

from automation_retry.application import Message, MessageKind
from automation_retry.domain import AUTOMATION_EXECUTE, Principal
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.lifecycle import open_container
from automation_retry.entrypoints.settings import Settings, read_settings
from tests.benchmarks.arena import Arena, Arenas
from tests.benchmarks.brokers import BROKERS
from tests.benchmarks.brokers.bare_broker import BareBroker
from tests.benchmarks.failed_rows import TENANT, failed_ids
from tests.benchmarks.measured import Spread, percentile
from tests.benchmarks.plan import Plan
from tests.benchmarks.progress import tell
from tests.benchmarks.results import RelayRate
from tests.benchmarks.waiting_messages import Messages, fill_outbox, new_messages

_PACE_S: Final = 0.02
"""Between retries while lags are measured, so that no backlog builds up."""
_POLL_S: Final = 0.01
_PATIENCE_S: Final = 120.0
_WAITING: Final = "SELECT EXISTS (SELECT FROM automation_outbox) AS waiting"

_Send = Callable[[str], Awaitable[float]]
"""Sends the job of an execution; returns the time from which its lag counts."""


def measure(arenas: Arenas, plan: Plan) -> list[RelayRate]:
    """All brokers, each time a new and empty one."""
    return uvloop.run(_measure(arenas, plan))


async def _measure(arenas: Arenas, plan: Plan) -> list[RelayRate]:
    arena = arenas.new()
    relayed: dict[str, list[float]] = {name: [] for name in BROKERS}
    bare: dict[str, list[float]] = {name: [] for name in BROKERS}
    for number in range(plan.relay_rounds):
        for name, running in BROKERS.items():
            tell(f"relay, round {number + 1} of {plan.relay_rounds}: {name}")
            messages = new_messages(plan.relay_messages)
            arena.reset(0)
            async with running(arena) as broker:
                relayed[name].append(await _relayed(arena, broker, messages))
            arena.reset(0)
            async with running(arena) as broker:
                bare[name].append(await _bare(broker, messages, plan.relay_batch))
    rates = []
    for name, running in BROKERS.items():
        tell(f"relay, lag of {name}")
        ids = failed_ids(plan.lag_messages)
        arena.reset(plan.lag_messages)
        async with running(arena) as broker:
            lags = await _lags_relayed(arena, broker, ids)
        arena.reset(0)
        async with running(arena) as broker:
            bare_lags = await _lags_bare(broker, ids)
        rates.append(
            RelayRate(
                engine=name,
                relayed=Spread(relayed[name]),
                bare=Spread(bare[name]),
                lag_p50_ms=percentile(lags, 50),
                lag_p99_ms=percentile(lags, 99),
                bare_lag_p50_ms=percentile(bare_lags, 50),
                bare_lag_p99_ms=percentile(bare_lags, 99),
            )
        )
    arenas.drop(arena)
    return rates


def _settings(arena: Arena, broker: BareBroker) -> Settings:
    return read_settings({"DATABASE_URL": arena.url, **broker.variables})


async def _relayed(arena: Arena, broker: BareBroker, messages: Messages) -> float:
    async with open_container(_settings(arena, broker), relay=True) as container:
        await asyncio.to_thread(fill_outbox, arena, messages)
        began = time.perf_counter()
        container.wake_up()()
        while await _is_waiting(container):  # noqa: ASYNC110 - the database sends no event
            await asyncio.sleep(_POLL_S)
        return len(messages) / (time.perf_counter() - began)


async def _is_waiting(container: Container) -> bool:
    rows: Sequence[Mapping[str, Any]] = await container.database().fetch(_WAITING, {})
    return bool(rows[0]["waiting"])


async def _bare(broker: BareBroker, messages: Messages, batch: int) -> float:
    async def send(of_one_kind: Sequence[Message]) -> None:
        for first in range(0, len(of_one_kind), batch):
            await broker.send(of_one_kind[first : first + batch])

    began = time.perf_counter()
    await asyncio.gather(send(messages.jobs), send(messages.events))
    return len(messages) / (time.perf_counter() - began)


async def _lags_relayed(arena: Arena, broker: BareBroker, ids: Sequence[str]) -> list[float]:
    """Each from the return of the use case, just after its commit."""
    principal = Principal(
        tenant=TENANT, user_id=uuid4(), permissions=frozenset({AUTOMATION_EXECUTE})
    )
    async with open_container(_settings(arena, broker), relay=True) as container:
        use_case = container.retry_execution()

        async def retry(execution_id: str) -> float:
            await use_case(principal, execution_id)
            return time.perf_counter()

        return await _lags(broker, ids, retry)


async def _lags_bare(broker: BareBroker, ids: Sequence[str]) -> list[float]:
    """Each from the call of the client."""

    async def send(execution_id: str) -> float:
        began = time.perf_counter()
        message_id = uuid4()
        body = {"id": message_id, "tenant": TENANT, "execution_id": execution_id}
        message = Message(
            id=message_id,
            kind=MessageKind.JOB,
            tenant=TENANT,
            execution_id=UUID(execution_id),
            attempt=1,
            body=orjson.dumps(body).decode(),
        )
        await broker.send([message])
        return began

    return await _lags(broker, ids, send)


async def _lags(broker: BareBroker, ids: Sequence[str], send: _Send) -> list[float]:
    """How long each job takes to reach its consumer, in ms."""
    sent: dict[str, float] = {}
    received: dict[str, float] = {}
    all_received = asyncio.Event()

    def receive(job: Mapping[str, Any]) -> None:
        received.setdefault(job["execution_id"], time.perf_counter())
        if len(received) == len(ids):
            all_received.set()

    async with broker.consuming(receive):
        for execution_id in ids:
            sent[execution_id] = await send(execution_id)
            await asyncio.sleep(_PACE_S)
        async with asyncio.timeout(_PATIENCE_S):
            await all_received.wait()
    return [1000 * (received[execution_id] - sent[execution_id]) for execution_id in ids]
