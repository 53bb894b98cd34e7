"""Executions in every state, as `{execution_id}` of a path names them."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

from attrs import evolve, field, frozen

from automation_retry.application.idempotency import IdempotencyKey
from automation_retry.domain import (
    Execution,
    ExecutionLog,
    ExecutionStatus,
    Json,
    LogEntry,
    LogLevel,
    Principal,
)
from automation_retry.domain.execution_status import UnknownStatus, status_of
from automation_retry.domain.validators import MAX_RETRY_COUNT
from automation_retry.entrypoints.http.wire.error_table import EXAMPLE_ID
from tests.support.factories import a_principal, a_retry_write, an_execution
from tests.support.walls.tenants import Tenant, shared_id
from tests.support.world import World

PAYLOAD_LIMIT = 100_000
"""In bytes; the service leaves out what is larger."""


@frozen(kw_only=True)
class State:
    name: str
    status: str = "failed"
    attempts: int = 0
    changes: Mapping[str, Any] = field(factory=dict)
    text: str = ""
    """Added to texts and payloads."""
    set_back: bool = False
    """Whether somebody set its `retry_count` back to 0."""


_STATUSES = sorted([*(one.value for one in ExecutionStatus), "paused"], key="failed".__ne__)
STATES: Mapping[str, State] = {
    one.name: one
    for one in (
        *(State(name=status, status=status) for status in _STATUSES),
        *(State(name=f"{one}, retried", status=one, attempts=2) for one in _STATUSES),
        State(name="large", text="x" * (PAYLOAD_LIMIT * 7 // 10), attempts=1),
        State(name="too large", text="x" * (PAYLOAD_LIMIT + 1), attempts=1),
        State(
            name="odd",
            attempts=1,
            text='"\\ \u2028 \U0001f600 </script> %s {tenant}',
            changes={
                "started_at": None,
                "duration_ms": 1e300,
                "trigger_data": None,
                "execution_context": Json('[[[123456789012345678901234567890, 1e-7, "\\u0001"]]]'),
                "logs": ExecutionLog('[null, "no entry", {"level": "loud"}]'),
            },
        ),
        State(name="set back", attempts=2, set_back=True),
        State(name="at the last attempt", changes={"retry_count": MAX_RETRY_COUNT}),
    )
}


@frozen(kw_only=True)
class Answered:
    """A request that was answered, and whose answer is kept for its idempotency key."""

    principal: Principal
    resource_id: UUID
    key: str
    at: datetime


@frozen
class Executions:
    """How to create executions; their ids may exist in other tenants."""

    states: Sequence[str] = tuple(STATES)
    example: str = str(EXAMPLE_ID)

    async def create(self, world: World, tenant: Tenant, wanted: Mapping[UUID, str]) -> None:
        """Those with these ids in these states; each text of theirs has the tenant's mark."""
        histories = [_History.of(tenant, one, STATES[name]) for one, name in wanted.items()]
        await world.storage.executions.add([one.after(0) for one in histories])
        for attempt in count(1):
            retried = [one for one in histories if one.attempts >= attempt]
            if not retried:
                break
            await _retry(world, tenant, [one.after(attempt - 1) for one in retried])
            await asyncio.gather(
                *(world.storage.executions.report(one.after(attempt)) for one in retried)
            )
        for one in histories:
            if one.set_back:
                await _overwrite(world, evolve(one.after(one.attempts), retry_count=0))

    async def keep_answers(self, world: World, answers: Sequence[Answered]) -> None:
        """Retries failed executions; no message says so."""
        async with world.storage.new_unit_of_work() as work:
            for one in answers:
                tenant = one.principal.tenant
                failed = await world.storage.executions.get(tenant, one.resource_id)
                work.record(
                    failed.retry(at=one.at, by=one.principal),
                    IdempotencyKey.of(one.principal, one.key),
                )
            if answers:
                outcome = await work.commit()
                assert not outcome.lost


@frozen
class _History:
    """An execution after each of its runs; all but the last failed."""

    final: Execution
    attempts: int
    set_back: bool

    @classmethod
    def of(cls, tenant: Tenant, execution_id: UUID, state: State) -> "_History":
        attempts = state.attempts + (tenant.more_attempts if state.attempts else 0)
        final = _execution(tenant, execution_id, state)
        return cls(final, attempts, state.set_back)

    def after(self, attempt: int) -> Execution:
        if not self.attempts:
            return self.final
        if attempt == self.attempts:
            return evolve(self.final, retry_count=attempt)
        return evolve(
            self.final,
            retry_count=attempt,
            status=ExecutionStatus.FAILED,
            error_message=f"{self.final.error_message} in run {attempt}",
        )


def rule_of(execution_id: UUID) -> UUID:
    """The same for all tenants."""
    return shared_id(f"rule of {execution_id}")


def _execution(tenant: Tenant, execution_id: UUID, state: State) -> Execution:
    """One whose status is unknown to the service has a status of its tenant's own."""
    mark = f"{tenant.mark} {state.text}"
    status = status_of(state.status)
    if isinstance(status, UnknownStatus):
        status = UnknownStatus(f"{state.status} by {tenant.mark}")
    values: dict[str, Any] = {
        "status": status,
        "error_message": f"message of {mark}",
        "error_stack": f"stack of {mark}",
        "trigger_data": {tenant.mark: [mark]},
        "execution_context": {"of": mark},
        "logs": (LogEntry(level=LogLevel.INFO, message=mark, metadata={tenant.mark: mark}),),
        "actions_failed": 1,
        "failed_action_index": 2,
        "duration_ms": 2750.5 + tenant.more_attempts,
    }
    return an_execution(
        tenant=tenant.id,
        execution_id=execution_id,
        automation_rule_id=rule_of(execution_id),
        **values | {**state.changes},
    )


async def _retry(world: World, tenant: Tenant, failed: Sequence[Execution]) -> None:
    """By a user that only this tenant has."""
    by = a_principal(
        tenant=tenant.id, user_id=tenant.own_id("user"), api_key_id=tenant.own_id("key")
    )
    async with world.storage.new_unit_of_work() as work:
        for one in failed:
            a_retry_write(one, by=by, request_id=f"{tenant.mark}-{one.retry_count}").stage(work)
        outcome = await work.commit()
    assert not outcome.lost


async def _overwrite(world: World, execution: Execution) -> None:
    """As an operator does by SQL."""
    if world.storage.connection is None:
        world.container.memory_store().overwrite(execution)
        return
    async with world.storage.connection() as connection:
        await connection.execute(
            "UPDATE automation_executions SET retry_count = %s"
            " WHERE tenant = %s AND execution_id = %s",
            (execution.retry_count, execution.tenant, execution.execution_id),
        )
