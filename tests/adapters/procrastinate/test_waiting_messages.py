"""Messages that wait in the outbox, after an upgrade or a change of broker."""

import asyncio
from uuid import UUID

import psycopg

from automation_retry.application import MessageKind
from automation_retry.domain import Execution
from tests.adapters.procrastinate.queues import (
    EVENT,
    JOB,
    attempt_of,
    fail_again,
    jobs,
    outbox,
    retry,
    rows,
    serving,
    until_empty,
)
from tests.support.factories import a_failed_execution
from tests.support.without_delivery import WITHOUT_DELIVERY


async def test_what_the_outbox_held_is_delivered_first(database_url: str) -> None:
    """After an upgrade, or a change of broker: a later attempt waits behind an earlier one."""
    async with serving(database_url, **WITHOUT_DELIVERY) as before:
        key = await before.key()
        failed = await before.add(a_failed_execution(tenant=before.tenant))
        other = await before.add(a_failed_execution(tenant=before.tenant))
        await retry(before, failed, key)
        await fail_again(before, failed, 1)
    async with serving(database_url) as after:
        await retry(after, failed, key)
        await retry(after, other, key)
        waiting = outbox(database_url)
        direct = jobs(database_url)
    async with serving(database_url, AUTOMATION_RETRY_RELAY="true"):
        await until_empty(database_url)

    assert waiting == [("job", 1), ("job", 2), ("event", 1), ("event", 2)]
    assert sorted(direct) == [(JOB, 1), (EVENT, 1)]
    order = [
        attempt_of(row["args"])
        for row in rows(database_url, "SELECT args FROM procrastinate_jobs ORDER BY id")
        if str(failed.execution_id) in str(row["args"]) and "eventType" not in row["args"]
    ]
    assert order == [1, 2]


async def test_each_kind_waits_for_its_own(database_url: str) -> None:
    """A job does not wait behind an event."""
    async with serving(database_url, **WITHOUT_DELIVERY) as before:
        key = await before.key()
        failed = await before.add(a_failed_execution(tenant=before.tenant))
        await retry(before, failed, key)
        await fail_again(before, failed, 1)
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM automation_outbox WHERE kind = 'job'")
    async with serving(database_url) as after:
        await retry(after, failed, key)

    assert outbox(database_url) == [("event", 1), ("event", 2)]
    assert jobs(database_url) == [(JOB, 2)]


async def test_a_dead_letter_holds_nothing_up(database_url: str) -> None:
    """It is settled, until an operator has it delivered again."""
    async with serving(database_url, **WITHOUT_DELIVERY) as before:
        key = await before.key()
        failed = await before.add(a_failed_execution(tenant=before.tenant))
        await retry(before, failed, key)
        await fail_again(before, failed, 1)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE automation_outbox SET dead_at = now(), dead_reason = 'it is too large'"
        )
    async with serving(database_url) as after:
        await retry(after, failed, key)

    assert sorted(jobs(database_url)) == [(JOB, 2), (EVENT, 2)]


async def test_a_message_that_a_relay_has_claimed_still_waits(database_url: str) -> None:
    """It may not arrive, so a later attempt does not overtake it."""
    async with serving(database_url, **WITHOUT_DELIVERY) as before:
        key = await before.key()
        failed = await before.add(a_failed_execution(tenant=before.tenant))
        await retry(before, failed, key)
        await fail_again(before, failed, 1)
    async with serving(database_url) as after:
        async with after.storage.outbox.claim(MessageKind.JOB, 10) as claim:
            await claim.acknowledge([message.id for message in claim.messages])
            await retry(after, failed, key)
        waiting = outbox(database_url)

    assert waiting == [("job", 2), ("event", 1), ("event", 2)]


async def test_old_and_new_processes_work_side_by_side(database_url: str) -> None:
    """Some leave messages to a relay: each attempt arrives once, and in order."""
    numbers: dict[UUID, list[int]] = {}
    by_relay = {"AUTOMATION_RETRY_RELAY": "true", "AUTOMATION_RETRY_RELAY_POLL_MS": "5"}
    old_ones = serving(database_url, **WITHOUT_DELIVERY)
    async with serving(database_url, **by_relay) as new, old_ones as old:
        key = await new.key()
        executions = [await new.add(a_failed_execution(tenant=new.tenant)) for _ in range(8)]

        async def again_and_again(number: int, execution: Execution) -> None:
            for attempt in range(1, 9):
                await retry((new, old)[(number + attempt) % 2], execution, key)
                await fail_again(new, execution, attempt)

        await asyncio.gather(*[again_and_again(*one) for one in enumerate(executions)])
        await until_empty(database_url)
    for row in rows(database_url, "SELECT args FROM procrastinate_jobs ORDER BY id"):
        if "eventType" not in row["args"]:
            about = UUID(row["args"]["execution_id"])
            numbers.setdefault(about, []).append(row["args"]["attempt"])

    assert list(numbers.values()) == [list(range(1, 9))] * 8
