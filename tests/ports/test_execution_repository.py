from datetime import timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from attrs import evolve
from hypothesis import given, settings

from automation_retry.application import ExecutionNotFound
from automation_retry.domain import Execution, ExecutionStatus, FailedAttempt, LogEntry, LogLevel
from tests.factories import (
    NOON,
    a_failed_execution,
    a_retry_write,
    an_execution,
    executions,
)
from tests.ports.storage import Storage


@given(execution=executions())
@settings(max_examples=30, deadline=None)
async def test_any_execution_is_read_as_it_was_added(
    storage: Storage, execution: Execution
) -> None:
    """Every value of every valid execution survives, those of its logs included."""
    fresh = evolve(execution, tenant=uuid4())
    await storage.repository.add([fresh])

    assert await storage.repository.get(fresh.tenant, fresh.execution_id) == fresh


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
async def test_json_values_are_kept(storage: Storage, value: Any) -> None:
    """Trigger, context and the metadata of logs hold whatever JSON holds."""
    entry = LogEntry(level=LogLevel.DEBUG, message="seen", metadata={"value": value})
    execution = an_execution(
        trigger_data={"value": value}, execution_context={"value": value}, logs=(entry,)
    )
    await storage.repository.add([execution])

    assert await storage.repository.get(execution.tenant, execution.execution_id) == execution


async def test_times_keep_their_microseconds(storage: Storage) -> None:
    """A time is the same instant to the microsecond, whatever zone it was given in."""
    moment = NOON.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    execution = an_execution(
        started_at=moment,
        completed_at=moment + timedelta(microseconds=1),
        duration_ms=0.001,
        logs=(LogEntry(level=LogLevel.INFO, message="seen", timestamp=moment),),
    )
    await storage.repository.add([execution])
    stored = await storage.repository.get(execution.tenant, execution.execution_id)

    assert stored.started_at == NOON
    assert stored.completed_at == NOON + timedelta(microseconds=1)
    assert stored.logs[0].timestamp == NOON
    assert stored.duration_ms == 0.001


@pytest.mark.parametrize("status", ExecutionStatus)
async def test_every_status_is_kept(storage: Storage, status: ExecutionStatus) -> None:
    """All seven states can be stored."""
    execution = an_execution(status=status)
    await storage.repository.add([execution])
    stored = await storage.repository.get(execution.tenant, execution.execution_id)

    assert stored.status is status


async def test_what_is_missing_stays_missing(storage: Storage) -> None:
    """No value is invented for an execution that has run without any."""
    execution = an_execution(trigger_data={}, execution_context={}, logs=())
    await storage.repository.add([execution])

    assert await storage.repository.get(execution.tenant, execution.execution_id) == execution


async def test_an_execution_that_nobody_added_is_not_found(storage: Storage) -> None:
    """The error carries the id that was asked for."""
    execution_id = uuid4()

    with pytest.raises(ExecutionNotFound) as missing:
        await storage.repository.get(uuid4(), execution_id)
    assert missing.value.execution_id == execution_id


async def test_an_execution_is_not_found_in_another_tenant(storage: Storage) -> None:
    """An id means something only together with its tenant, for attempts as well."""
    execution = an_execution()
    await storage.repository.add([execution, an_execution()])

    with pytest.raises(ExecutionNotFound):
        await storage.repository.get(uuid4(), execution.execution_id)
    with pytest.raises(ExecutionNotFound):
        await storage.repository.failed_attempts(uuid4(), execution.execution_id, page=1, limit=25)


async def test_two_tenants_may_use_the_same_id(storage: Storage) -> None:
    """Each tenant reads its own execution."""
    mine, theirs = an_execution(), an_execution(status=ExecutionStatus.RUNNING)
    theirs = evolve(theirs, execution_id=mine.execution_id)
    await storage.repository.add([mine, theirs])

    assert await storage.repository.get(mine.tenant, mine.execution_id) == mine
    assert await storage.repository.get(theirs.tenant, mine.execution_id) == theirs


async def test_a_taken_id_is_refused_and_nothing_is_added(storage: Storage) -> None:
    """With one id taken none of the executions is stored, and the old one stays."""
    old = an_execution()
    await storage.repository.add([old])
    new = an_execution(tenant=old.tenant)

    with pytest.raises(ValueError, match="exist"):
        await storage.repository.add([new, evolve(old, actions_total=9)])
    assert await storage.repository.get(old.tenant, old.execution_id) == old
    with pytest.raises(ExecutionNotFound):
        await storage.repository.get(new.tenant, new.execution_id)


async def test_an_id_given_twice_is_refused(storage: Storage) -> None:
    """Two executions of one id in one call are not added, neither of them."""
    execution = an_execution()

    with pytest.raises(ValueError, match="exist"):
        await storage.repository.add([execution, evolve(execution, actions_total=9)])
    with pytest.raises(ExecutionNotFound):
        await storage.repository.get(execution.tenant, execution.execution_id)


async def test_adding_nothing_is_fine(storage: Storage) -> None:
    """An empty list of executions is added without an error."""
    await storage.repository.add([])


async def test_what_a_reader_holds_is_its_own(storage: Storage) -> None:
    """Who changes a dictionary that it gave or got changes nothing for others."""
    given = {"tags": ["vip"]}
    execution = an_execution(trigger_data=given)
    await storage.repository.add([execution])
    given["tags"].append("changed after adding")
    got = await storage.repository.get(execution.tenant, execution.execution_id)
    got.trigger_data["tags"].append("changed after reading")
    stored = await storage.repository.get(execution.tenant, execution.execution_id)

    assert stored.trigger_data == {"tags": ["vip"]}


async def three_times_retried(storage: Storage) -> list[FailedAttempt]:
    """The attempts that three retries archived, each with an error of its own, oldest first."""
    failed = a_failed_execution()
    await storage.repository.add([failed])
    archived = []
    for attempt in range(3):
        failed_again = evolve(failed, retry_count=attempt, error_message=f"error {attempt}")
        await storage.neighbours.report(failed_again)
        write = a_retry_write(failed_again)
        async with storage.new_unit_of_work() as work:
            await write.stage(work)
            assert await work.commit() == frozenset()
        archived.append(write.retry.failed_attempt)
    return archived


async def test_attempts_come_newest_first_in_pages(storage: Storage) -> None:
    """Pages count from 1, cover everything once, and each knows the total."""
    archived = await three_times_retried(storage)
    tenant, execution_id = archived[0].tenant, archived[0].execution_id
    pages = [
        await storage.repository.failed_attempts(tenant, execution_id, page=page, limit=2)
        for page in (1, 2, 3)
    ]

    assert [list(page.items) for page in pages] == [[archived[2], archived[1]], [archived[0]], []]
    assert [(page.page, page.limit, page.total) for page in pages] == [
        (1, 2, 3),
        (2, 2, 3),
        (3, 2, 3),
    ]


async def test_an_execution_that_was_never_retried_has_an_empty_page(storage: Storage) -> None:
    """No attempts is not the same as no execution."""
    execution = a_failed_execution()
    await storage.repository.add([execution])
    page = await storage.repository.failed_attempts(
        execution.tenant, execution.execution_id, page=1, limit=25
    )

    assert (list(page.items), page.total) == ([], 0)


async def test_attempts_of_an_execution_that_nobody_added_are_not_found(storage: Storage) -> None:
    """The archive of an unknown execution is not an empty one."""
    with pytest.raises(ExecutionNotFound):
        await storage.repository.failed_attempts(uuid4(), uuid4(), page=1, limit=25)
