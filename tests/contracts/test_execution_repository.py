from datetime import timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from attrs import evolve
from hypothesis import given, settings

from automation_retry.application import ExecutionNotFound, PageRequest
from automation_retry.domain import Execution, ExecutionStatus, FailedAttempt, LogEntry, LogLevel
from tests.contracts.storage import StorageUnderTest
from tests.support.factories import (
    NOON,
    a_failed_execution,
    a_retry_write,
    an_execution,
    executions,
)


@given(execution=executions())
@settings(max_examples=30, deadline=None)
async def test_any_execution_is_read_as_it_was_added(
    storage: StorageUnderTest, execution: Execution
) -> None:
    """Every value of every valid execution survives, those of its logs included."""
    fresh = evolve(execution, tenant=uuid4())
    await storage.executions.add([fresh])

    assert await storage.executions.get(fresh.tenant, fresh.execution_id) == fresh


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Zoë \u4f60\u597d \U0001f680 \u200d\u0301", id="unicode"),
        pytest.param('\t"quoted" \\ back\\slashed </script> \' %s {}\r\n', id="special characters"),
        pytest.param(2**53 + 1, id="beyond what a double counts"),
        pytest.param(-(2**63), id="least of 64 bits"),
        pytest.param(2**64 - 1, id="most of 64 bits"),
        pytest.param(0.1, id="fraction"),
        pytest.param(-1.5e-7, id="small"),
        pytest.param(1e22, id="large"),
        pytest.param([[[[[{"a": {"b": {"c": [{"d": None}]}}}]]]]], id="nested"),
        pytest.param({"": "", "a b": [True, False, None]}, id="odd keys"),
        pytest.param([], id="empty list"),
        pytest.param({}, id="empty object"),
    ],
)
async def test_json_values_are_kept(storage: StorageUnderTest, value: Any) -> None:
    """Trigger, context and the metadata of logs hold whatever JSON holds."""
    entry = LogEntry(level=LogLevel.DEBUG, message="seen", metadata={"value": value})
    execution = an_execution(
        trigger_data={"value": value}, execution_context={"value": value}, logs=(entry,)
    )
    await storage.executions.add([execution])

    assert await storage.executions.get(execution.tenant, execution.execution_id) == execution


async def test_times_keep_their_microseconds(storage: StorageUnderTest) -> None:
    """A time is the same instant to the microsecond, whatever zone it was given in."""
    moment = NOON.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    execution = an_execution(
        started_at=moment,
        completed_at=moment + timedelta(microseconds=1),
        duration_ms=0.001,
        logs=(LogEntry(level=LogLevel.INFO, message="seen", timestamp=moment),),
    )
    await storage.executions.add([execution])
    stored = await storage.executions.get(execution.tenant, execution.execution_id)

    assert stored.started_at == NOON
    assert stored.completed_at == NOON + timedelta(microseconds=1)
    assert stored.logs
    assert [entry.timestamp for entry in stored.logs.entries] == [NOON]
    assert stored.duration_ms == 0.001


@pytest.mark.parametrize("status", ExecutionStatus)
async def test_every_status_is_kept(storage: StorageUnderTest, status: ExecutionStatus) -> None:
    """All seven states can be stored."""
    execution = an_execution(status=status)
    await storage.executions.add([execution])
    stored = await storage.executions.get(execution.tenant, execution.execution_id)

    assert stored.status is status


async def test_what_is_missing_stays_missing(storage: StorageUnderTest) -> None:
    """No value is invented for an execution that has run without any."""
    execution = an_execution(trigger_data={}, execution_context={}, logs=())
    await storage.executions.add([execution])

    assert await storage.executions.get(execution.tenant, execution.execution_id) == execution


async def test_an_execution_that_does_not_exist_is_not_found(storage: StorageUnderTest) -> None:
    """The error carries the id that was asked for."""
    execution_id = uuid4()

    with pytest.raises(ExecutionNotFound) as missing:
        await storage.executions.get(uuid4(), execution_id)
    assert missing.value.execution_id == execution_id


async def test_an_execution_is_not_found_in_another_tenant(storage: StorageUnderTest) -> None:
    """An id means something only together with its tenant, for attempts as well."""
    execution = an_execution()
    await storage.executions.add([execution, an_execution()])

    with pytest.raises(ExecutionNotFound):
        await storage.executions.get(uuid4(), execution.execution_id)
    with pytest.raises(ExecutionNotFound):
        await storage.executions.failed_attempts(
            uuid4(), execution.execution_id, PageRequest(page=1, limit=25)
        )


async def test_two_tenants_may_use_the_same_id(storage: StorageUnderTest) -> None:
    """Each tenant reads its own execution."""
    mine, theirs = an_execution(), an_execution(status=ExecutionStatus.RUNNING)
    theirs = evolve(theirs, execution_id=mine.execution_id)
    await storage.executions.add([mine, theirs])

    assert await storage.executions.get(mine.tenant, mine.execution_id) == mine
    assert await storage.executions.get(theirs.tenant, mine.execution_id) == theirs


async def test_a_taken_id_is_refused_and_nothing_is_added(storage: StorageUnderTest) -> None:
    """With one id taken none of the executions is stored, and the old one stays."""
    old = an_execution()
    await storage.executions.add([old])
    new = an_execution(tenant=old.tenant)

    with pytest.raises(ValueError, match="exist"):
        await storage.executions.add([new, evolve(old, actions_total=9)])
    assert await storage.executions.get(old.tenant, old.execution_id) == old
    with pytest.raises(ExecutionNotFound):
        await storage.executions.get(new.tenant, new.execution_id)


async def test_an_id_given_twice_is_refused(storage: StorageUnderTest) -> None:
    """Two executions of one id in one call are not added, neither of them."""
    execution = an_execution()

    with pytest.raises(ValueError, match="exist"):
        await storage.executions.add([execution, evolve(execution, actions_total=9)])
    with pytest.raises(ExecutionNotFound):
        await storage.executions.get(execution.tenant, execution.execution_id)


async def test_adding_nothing_is_fine(storage: StorageUnderTest) -> None:
    """An empty list of executions is added without an error."""
    await storage.executions.add([])


async def test_what_a_caller_gave_is_its_own(storage: StorageUnderTest) -> None:
    """Changing a dictionary that was given changes nothing for others."""
    given = {"tags": ["vip"]}
    execution = an_execution(trigger_data=given)
    await storage.executions.add([execution])
    given["tags"].append("changed after adding")
    stored = await storage.executions.get(execution.tenant, execution.execution_id)

    assert stored.trigger_data
    assert stored.trigger_data.value() == {"tags": ["vip"]}


async def three_times_retried(storage: StorageUnderTest) -> list[FailedAttempt]:
    """The attempts that three retries archived, each with an error of its own, oldest first."""
    failed = a_failed_execution()
    await storage.executions.add([failed])
    archived = []
    for attempt in range(3):
        failed_again = evolve(failed, retry_count=attempt, error_message=f"error {attempt}")
        await storage.executions.report(failed_again)
        write = a_retry_write(failed_again)
        async with storage.new_unit_of_work() as work:
            write.stage(work)
            assert not (await work.commit()).lost
        archived.append(write.retry.failed_attempt)
    return archived


async def test_attempts_come_newest_first_in_pages(storage: StorageUnderTest) -> None:
    """Pages count from 1, cover everything once, and each knows the total."""
    archived = await three_times_retried(storage)
    tenant, execution_id = archived[0].tenant, archived[0].execution_id
    pages = [
        await storage.executions.failed_attempts(
            tenant, execution_id, PageRequest(page=page, limit=2)
        )
        for page in (1, 2, 3)
    ]

    assert [list(page.items) for page in pages] == [[archived[2], archived[1]], [archived[0]], []]
    assert [page.request for page in pages] == [PageRequest(page=n, limit=2) for n in (1, 2, 3)]
    assert [page.total for page in pages] == [3, 3, 3]


async def test_an_execution_that_was_never_retried_has_an_empty_page(
    storage: StorageUnderTest,
) -> None:
    """No attempts is not the same as no execution."""
    execution = a_failed_execution()
    await storage.executions.add([execution])
    page = await storage.executions.failed_attempts(
        execution.tenant, execution.execution_id, PageRequest(page=1, limit=25)
    )

    assert (list(page.items), page.total) == ([], 0)


async def test_attempts_of_an_execution_that_does_not_exist_are_not_found(
    storage: StorageUnderTest,
) -> None:
    """The archive of an unknown execution is not an empty one."""
    with pytest.raises(ExecutionNotFound):
        await storage.executions.failed_attempts(uuid4(), uuid4(), PageRequest(page=1, limit=25))


async def test_a_result_of_the_current_attempt_is_stored(storage: StorageUnderTest) -> None:
    """Every value of the result replaces what was stored."""
    running = an_execution(status=ExecutionStatus.RUNNING, retry_count=2)
    await storage.executions.add([running])
    completed = evolve(
        running, status=ExecutionStatus.COMPLETED, actions_successful=4, duration_ms=12.5
    )

    assert await storage.executions.report(completed)
    assert await storage.executions.get(running.tenant, running.execution_id) == completed


@pytest.mark.parametrize("retry_count", [1, 3])
async def test_a_result_of_another_attempt_changes_nothing(
    storage: StorageUnderTest, retry_count: int
) -> None:
    """The fence: neither a late result nor one from the future is stored."""
    running = an_execution(status=ExecutionStatus.RUNNING, retry_count=2)
    await storage.executions.add([running])
    other = evolve(running, status=ExecutionStatus.COMPLETED, retry_count=retry_count)

    assert not await storage.executions.report(other)
    assert await storage.executions.get(running.tenant, running.execution_id) == running


async def test_a_result_reaches_only_its_own_execution(storage: StorageUnderTest) -> None:
    """Neither the same id in another tenant nor an unknown one is written."""
    running = an_execution(status=ExecutionStatus.RUNNING)
    await storage.executions.add([running])
    elsewhere = an_execution(execution_id=running.execution_id, status=ExecutionStatus.COMPLETED)

    assert not await storage.executions.report(elsewhere)
    assert not await storage.executions.report(an_execution())
    assert await storage.executions.get(running.tenant, running.execution_id) == running
    with pytest.raises(ExecutionNotFound):
        await storage.executions.get(elsewhere.tenant, elsewhere.execution_id)
