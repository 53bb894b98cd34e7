"""An automation engine for the demo: it takes jobs and reports results as a real one would.

It relies only on what the service promises: the job, the execution, and the fence by `retry_count`.
"""

import asyncio
import logging
import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from attrs import evolve, frozen

from automation_retry.adapters.log import log
from automation_retry.application import ExecutionNotFound
from automation_retry.application.ports import Clock, ExecutionRepository
from automation_retry.domain import Execution, ExecutionStatus
from automation_retry.entrypoints.demo import outage
from automation_retry.entrypoints.demo.executions import Fault, fault

_SUCCESS_RATE = 0.75
_SHORTEST_S, _LONGEST_S = 1.0, 2.0
_PENDING = {ExecutionStatus.PENDING, ExecutionStatus.RUNNING}
"""One that is running was begun by an engine that died: its job was queued again."""


@frozen
class DemoEngine:
    """A run takes one to two seconds, and three of four succeed.

    After the outage the mail server works again: what it had stopped succeeds, and only messages to
    unknown recipients fail again.
    """

    _executions: ExecutionRepository
    _clock: Clock

    async def execute(self, job: Mapping[str, Any]) -> None:
        """Runs the execution of a job, unless the job is out of date."""
        about = {"execution_id": job["execution_id"], "attempt": job["attempt"]}
        pending = await self._find(job, _PENDING)
        if pending is None or not await self._executions.report(
            evolve(pending, status=ExecutionStatus.RUNNING)
        ):
            log(logging.INFO, "demo engine drops a stale job", **about)
            return
        log(logging.INFO, "demo engine runs", **about)
        await asyncio.sleep(random.uniform(_SHORTEST_S, _LONGEST_S))  # noqa: S311 - not for secrets
        # Read again: the job may have been queued twice, or somebody may have cancelled it.
        running = await self._find(job, {ExecutionStatus.RUNNING})
        if running is None:
            return
        wrong = _fault_of(running)
        at = self._clock()
        result = _failed(running, at, wrong) if wrong else _completed(running, at)
        if await self._executions.report(result):
            log(logging.INFO, "demo engine reports", **about, status=result.status.value)

    async def _find(
        self, job: Mapping[str, Any], statuses: set[ExecutionStatus]
    ) -> Execution | None:
        """The execution of the job, if it is in one of these states in the job's attempt."""
        try:
            found = await self._executions.get(UUID(job["tenant"]), UUID(job["execution_id"]))
        except ExecutionNotFound:
            return None
        return found if found.retry_count == job["attempt"] and found.status in statuses else None


def _completed(running: Execution, at: datetime) -> Execution:
    return evolve(
        running,
        status=ExecutionStatus.COMPLETED,
        completed_at=at,
        duration_ms=_duration_ms(running, at),
        actions_successful=running.actions_total,
    )


def _fault_of(running: Execution) -> Fault | None:
    """Why the run fails; None if it succeeds."""
    context = running.execution_context.value() if running.execution_context else None
    match context:
        case {outage.RECIPIENT_EXISTS: True}:
            return None
        case {outage.RECIPIENT_EXISTS: False}:
            return outage.unknown_recipient(running.execution_id)
    succeeds = random.random() < _SUCCESS_RATE  # noqa: S311 - not for secrets
    return None if succeeds else fault(running.execution_id.int)


def _failed(running: Execution, at: datetime, wrong: Fault) -> Execution:
    """As if the last action had failed."""
    return evolve(
        running,
        status=ExecutionStatus.FAILED,
        completed_at=at,
        duration_ms=_duration_ms(running, at),
        actions_successful=running.actions_total - 1,
        actions_failed=1,
        failed_action_index=running.actions_total - 1,
        error_message=wrong.message,
        error_stack=wrong.stack,
    )


def _duration_ms(running: Execution, at: datetime) -> float | None:
    """Not negative, even if the clock was set back meanwhile."""
    started_at = running.started_at
    return None if started_at is None else max(0.0, (at - started_at).total_seconds() * 1000)


async def log_event(event: Mapping[str, Any]) -> None:
    """A listener that writes each event to the log."""
    payload = event["payload"]
    log(
        logging.INFO,
        "demo listener heard",
        event_type=event["eventType"],
        execution_id=payload["executionId"],
        attempt=payload["attempt"],
    )
