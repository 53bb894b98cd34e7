"""What `/readyz` says, whatever is behind the ports."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from attrs import define, field

from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.outbox import MemoryOutbox
from automation_retry.adapters.no_tables import NoTables
from automation_retry.application import CheckReadiness, MessageKind, StorageUnavailable
from automation_retry.application.ports import DeliveryStatus, Readiness, Schema
from tests.support.factories import NOON, a_failed_execution, a_retry_write
from tests.support.memory import commit


@define
class Probed(Readiness):
    """Counts how often it is asked; answers when it is open."""

    found: Sequence[str] = ()
    asked: int = 0
    open: asyncio.Event = field(factory=asyncio.Event)

    async def problems(self) -> Sequence[str]:
        self.asked += 1
        await self.open.wait()
        return self.found


class Unusable(NoTables):
    """A schema whose tables cannot be used."""

    async def problems(self, *, delivers: bool) -> Sequence[str]:
        assert delivers
        return ["The role app lacks INSERT on jobs; run: GRANT INSERT ON jobs TO app;"]


class Unanswered(NoTables):
    """A schema in a database that does not answer."""

    async def missing(self) -> Sequence[str]:
        raise StorageUnavailable("no answer within 10 s")


def checking(
    store: MemoryStore, *schemas: Schema, storage: Probed | None = None, minutes: float = 0
) -> CheckReadiness:
    """As seen so many minutes after noon."""
    worker = Probed()
    worker.open.set()
    if storage is None:
        storage = Probed()
        storage.open.set()
    return CheckReadiness(
        storage=storage,
        schemas=schemas,
        outbox=MemoryOutbox(store, lambda: NOON + timedelta(minutes=minutes)),
        worker=worker,
        brokers={MessageKind.JOB: "redis", MessageKind.EVENT: "nats"},
        delivers=True,
        warn_after_s=60,
    )


def a_store_with_messages() -> MemoryStore:
    """Of one retry, committed at noon."""
    store = MemoryStore()
    write = a_retry_write(a_failed_execution())
    store.overwrite(write.failed)
    commit(store, write)
    return store


async def test_nothing_to_tell() -> None:
    """Ready, without warnings; a message that waits for a minute is nothing unusual."""
    report = await checking(a_store_with_messages(), NoTables(), minutes=1)()

    assert not report.problems
    assert not report.warnings


async def test_messages_that_wait_too_long_are_a_warning() -> None:
    """It names the broker, the age and why, as far as a relay has said why."""
    store = a_store_with_messages()
    check = checking(store, minutes=2)
    await check.outbox.note_failure(MessageKind.JOB, "Connection refused")

    report = await check()

    assert not report.problems
    assert report.warnings == [
        (
            "The oldest job message for redis has waited 120 s; "
            "0 s ago its delivery failed: Connection refused."
        ),
        (
            "The oldest event message for nats has waited 120 s; "
            "no relay has reported an error, so it is behind, or none is running."
        ),
    ]


async def test_many_dead_letters_are_not_all_counted() -> None:
    """Counting them would take the longer the more there are."""

    class ManyDead(MemoryOutbox):
        async def status(self) -> Sequence[DeliveryStatus]:
            return [DeliveryStatus(kind=MessageKind.JOB, oldest_age_s=None, dead=100, failure=None)]

    check = checking(MemoryStore())
    check.outbox = ManyDead(MemoryStore(), lambda: NOON)

    [warning] = (await check()).warnings
    assert warning.startswith("100 or more job messages were refused")


async def test_what_prevents_a_delivery_prevents_readiness() -> None:
    """The statement that would help is part of the problem."""
    report = await checking(MemoryStore(), NoTables(), Unusable())()

    assert report.problems == [
        "The role app lacks INSERT on jobs; run: GRANT INSERT ON jobs TO app;"
    ]


async def test_a_database_that_does_not_answer_is_a_problem() -> None:
    """With the reason, if no other problem is known."""
    report = await checking(MemoryStore(), Unanswered())()

    assert report.problems == ["The database does not answer: no answer within 10 s."]


async def test_all_who_ask_at_once_share_one_answer() -> None:
    """Twenty probes cost what one costs; the next one asks again."""
    storage = Probed()
    check = checking(MemoryStore(), storage=storage)
    probes = [asyncio.create_task(check()) for _ in range(20)]
    await asyncio.sleep(0)
    probes[0].cancel()
    await asyncio.sleep(0)
    storage.open.set()
    reports = await asyncio.gather(*probes[1:])
    together = storage.asked
    await check()

    assert {id(report) for report in reports} == {id(reports[0])}
    assert (together, storage.asked) == (1, 2)


async def test_a_check_that_hangs_is_a_problem() -> None:
    """A probe gets an answer while something behind the ports gives none."""
    async with asyncio.timeout(30):
        report = await checking(MemoryStore(), storage=Probed())()

    assert report.problems == ["The database does not answer."]
