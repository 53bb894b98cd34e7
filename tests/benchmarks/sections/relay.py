"""The relay as `serve` runs it against the bare client in batches, and how long a job is under way.

Of both, jobs and events go side by side.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import uvloop

from automation_retry.adapters.json_codec import message_body
from automation_retry.application import Message, MessageKind
from automation_retry.domain import AUTOMATION_EXECUTE, Principal
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.lifecycle import open_container
from automation_retry.entrypoints.settings import Settings, read_settings
from tests.benchmarks.arena import Arena, Arenas
from tests.benchmarks.engines import ENGINES
from tests.benchmarks.engines.engine import BareEngine
from tests.benchmarks.failed_rows import TENANT, failed_ids
from tests.benchmarks.measured import Spread, percentile
from tests.benchmarks.plan import Plan
from tests.benchmarks.progress import tell
from tests.benchmarks.results import RelayRate
from tests.benchmarks.waiting_messages import Messages, fill_outbox, new_messages

_PACE_S: Final = 0.02
"""Between retries while lags are measured: nothing queues up."""
_POLL_S: Final = 0.01
_PATIENCE_S: Final = 120.0
_WAITING: Final = "SELECT EXISTS (SELECT FROM automation_outbox) AS waiting"

_Send = Callable[[str], Awaitable[float]]
"""Sends the job of an execution; the moment from which its lag counts."""


def measure(arenas: Arenas, plan: Plan) -> list[RelayRate]:
    """Every engine, each time a new and empty one."""
    return uvloop.run(_measure(arenas, plan))


async def _measure(arenas: Arenas, plan: Plan) -> list[RelayRate]:
    arena = arenas.new()
    relayed: dict[str, list[float]] = {name: [] for name in ENGINES}
    bare: dict[str, list[float]] = {name: [] for name in ENGINES}
    for number in range(plan.relay_rounds):
        for name, running in ENGINES.items():
            tell(f"relay, round {number + 1} of {plan.relay_rounds}: {name}")
            messages = new_messages(plan.relay_messages)
            arena.reset(0)
            async with running(arena) as engine:
                relayed[name].append(await _relayed(arena, engine, messages))
            arena.reset(0)
            async with running(arena) as engine:
                bare[name].append(await _bare(engine, messages, plan.relay_batch))
    rates = []
    for name, running in ENGINES.items():
        tell(f"relay, lag of {name}")
        ids = failed_ids(plan.lag_messages)
        arena.reset(plan.lag_messages)
        async with running(arena) as engine:
            lags = await _lags_relayed(arena, engine, ids)
        arena.reset(0)
        async with running(arena) as engine:
            bare_lags = await _lags_bare(engine, ids)
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


def _settings(arena: Arena, engine: BareEngine) -> Settings:
    return read_settings({"DATABASE_URL": arena.url, **engine.variables})


async def _relayed(arena: Arena, engine: BareEngine, messages: Messages) -> float:
    async with open_container(_settings(arena, engine), relay=True) as container:
        await asyncio.to_thread(fill_outbox, arena, messages)
        began = time.perf_counter()
        container.wake_up()()
        while await _is_waiting(container):  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(_POLL_S)
        return len(messages) / (time.perf_counter() - began)


async def _is_waiting(container: Container) -> bool:
    rows: Sequence[Mapping[str, Any]] = await container.database().fetch(_WAITING, {})
    return bool(rows[0]["waiting"])


async def _bare(engine: BareEngine, messages: Messages, batch: int) -> float:
    async def hand_over(kind: MessageKind, these: Sequence[Message]) -> None:
        for first in range(0, len(these), batch):
            bodies = [message_body(message) for message in these[first : first + batch]]
            await engine.hand_over(kind, bodies)

    began = time.perf_counter()
    await asyncio.gather(
        hand_over(MessageKind.JOB, messages.jobs), hand_over(MessageKind.EVENT, messages.events)
    )
    return len(messages) / (time.perf_counter() - began)


async def _lags_relayed(arena: Arena, engine: BareEngine, ids: Sequence[str]) -> list[float]:
    """Each from the return of the use case, which is that of its commit."""
    principal = Principal(
        tenant=TENANT, user_id=uuid4(), permissions=frozenset({AUTOMATION_EXECUTE})
    )
    async with open_container(_settings(arena, engine), relay=True) as container:
        use_case = container.retry_execution()

        async def retry(execution_id: str) -> float:
            await use_case(principal, execution_id)
            return time.perf_counter()

        return await _lags(engine, ids, retry)


async def _lags_bare(engine: BareEngine, ids: Sequence[str]) -> list[float]:
    """Each from the call of the client."""

    async def hand_over(execution_id: str) -> float:
        began = time.perf_counter()
        body = {"id": str(uuid4()), "tenant": str(TENANT), "execution_id": execution_id}
        await engine.hand_over(MessageKind.JOB, [body])
        return began

    return await _lags(engine, ids, hand_over)


async def _lags(engine: BareEngine, ids: Sequence[str], send: _Send) -> list[float]:
    """How long each job takes to its consumer, in ms."""
    sent: dict[str, float] = {}
    arrived: dict[str, float] = {}

    all_there = asyncio.Event()

    def take(job: Mapping[str, Any]) -> None:
        arrived.setdefault(job["execution_id"], time.perf_counter())
        if len(arrived) == len(ids):
            all_there.set()

    async with engine.consuming(take):
        for execution_id in ids:
            sent[execution_id] = await send(execution_id)
            await asyncio.sleep(_PACE_S)
        async with asyncio.timeout(_PATIENCE_S):
            await all_there.wait()
    return [1000 * (arrived[execution_id] - sent[execution_id]) for execution_id in ids]
