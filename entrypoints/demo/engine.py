"""Automation engines for the demo: they take jobs and report results as an outside engine would.

They know only what this service promises: the job, the table, and the fence by `retry_count`.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import procrastinate
import psycopg
import structlog
from attrs import evolve

from automation_retry.adapters.memory import MemoryQueue, MemoryStore
from automation_retry.application import ExecutionJob
from automation_retry.domain import ExecutionStatus
from automation_retry.entrypoints.clock import utc_now
from automation_retry.entrypoints.demo.executions import fault

_log = structlog.get_logger()

_LONGEST_SILENCE_S = 30
_SHARE_OF_SUCCESS = 0.75

START: Final = """
UPDATE automation_executions SET status = 'running'
WHERE tenant = %(tenant)s AND execution_id = %(execution_id)s
  AND retry_count = %(attempt)s AND status IN ('pending', 'running')
"""

COMPLETE: Final = """
UPDATE automation_executions
SET status = 'completed', completed_at = now(), actions_successful = actions_total,
    duration_ms = extract(epoch FROM now() - started_at) * 1000
WHERE tenant = %(tenant)s AND execution_id = %(execution_id)s
  AND retry_count = %(attempt)s AND status = 'running'
"""

FAIL: Final = """
UPDATE automation_executions
SET status = 'failed', completed_at = now(), actions_successful = actions_total - 1,
    actions_failed = 1, failed_action_index = actions_total - 1,
    duration_ms = extract(epoch FROM now() - started_at) * 1000,
    error_message = %(message)s, error_stack = %(stack)s
WHERE tenant = %(tenant)s AND execution_id = %(execution_id)s
  AND retry_count = %(attempt)s AND status = 'running'
"""


def _outcome() -> tuple[bool, float]:
    """Whether a run succeeds, and how many seconds it takes."""
    return random.random() < _SHARE_OF_SUCCESS, random.uniform(1.0, 2.0)  # noqa: S311 - not for secrets


@asynccontextmanager
async def procrastinate_engine(url: str) -> AsyncIterator[None]:
    """A Procrastinate worker that runs jobs and hears events until the context ends."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url, max_size=4))

    @app.task(name="automation.execute_execution", queue="automation.executions")
    async def execute(**job: Any) -> None:
        await _run(url, job)

    @app.task(name="automation.execution.retried", queue="automation.events")
    async def hear(**event: Any) -> None:
        payload = event["payload"]
        _log.info("demo listener heard", event_type=event["eventType"],
                  execution_id=payload["executionId"], attempt=payload["attempt"])  # fmt: skip

    async with app.open_async():
        work = asyncio.create_task(
            app.run_worker_async(
                concurrency=4,
                fetch_job_polling_interval=1,
                install_signal_handlers=False,
                shutdown_graceful_timeout=5,
                delete_jobs="successful",
            )
        )
        rescue = asyncio.create_task(_rescue_stalled(app))
        try:
            yield
        finally:
            rescue.cancel()
            work.cancel()
            await asyncio.gather(work, rescue, return_exceptions=True)


async def _rescue_stalled(app: procrastinate.App) -> None:
    """Queues again what a worker that died had begun; the fence makes a second run harmless."""
    while True:
        with contextlib.suppress(procrastinate.exceptions.ConnectorException):
            for job in await app.job_manager.get_stalled_jobs(
                seconds_since_heartbeat=_LONGEST_SILENCE_S
            ):
                await app.job_manager.retry_job(job)
        await asyncio.sleep(5)


async def _run(url: str, job: Mapping[str, Any]) -> None:
    succeeds, seconds = _outcome()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        started = await connection.execute(START, job)
        if not started.rowcount:
            _log.info("demo engine drops a stale job", execution_id=job["execution_id"],
                      attempt=job["attempt"])  # fmt: skip
            return
        _log.info("demo engine runs", execution_id=job["execution_id"], attempt=job["attempt"])
        await asyncio.sleep(seconds)
        wrong = fault(UUID(job["execution_id"]).int)
        await connection.execute(
            COMPLETE if succeeds else FAIL,
            {**job, "message": wrong.message, "stack": wrong.stack},
        )
    _log.info("demo engine reports", execution_id=job["execution_id"], attempt=job["attempt"],
              status="completed" if succeeds else "failed")  # fmt: skip


@asynccontextmanager
async def memory_engine(store: MemoryStore, queue: MemoryQueue) -> AsyncIterator[None]:
    """The same, for a service in memory."""
    running: set[asyncio.Task[None]] = set()

    async def take(job: ExecutionJob) -> None:
        task = asyncio.create_task(_run_in_memory(store, job))
        running.add(task)
        task.add_done_callback(running.discard)

    queue.subscribe(take)
    try:
        yield
    finally:
        queue.unsubscribe(take)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _run_in_memory(store: MemoryStore, job: ExecutionJob) -> None:
    succeeds, seconds = _outcome()
    started = evolve(
        store.execution(job.tenant, job.execution_id),
        status=ExecutionStatus.RUNNING,
        retry_count=job.attempt,
    )
    if not store.report(started):
        return
    await asyncio.sleep(seconds)
    ended = utc_now()
    spent_ms = (ended - started.started_at).total_seconds() * 1000
    total = started.actions_total
    if succeeds:
        result = evolve(
            started,
            status=ExecutionStatus.COMPLETED,
            completed_at=ended,
            duration_ms=spent_ms,
            actions_successful=total,
        )
    else:
        wrong = fault(job.execution_id.int)
        result = evolve(
            started,
            status=ExecutionStatus.FAILED,
            completed_at=ended,
            duration_ms=spent_ms,
            actions_successful=total - 1,
            actions_failed=1,
            failed_action_index=total - 1,
            error_message=wrong.message,
            error_stack=wrong.stack,
        )
    store.report(result)
