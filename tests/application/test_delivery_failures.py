"""Why a relay cannot deliver is kept until it can, for whoever asks."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from attrs import define

from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.outbox import MemoryOutbox
from automation_retry.application import (
    BrokerUnavailable,
    Message,
    MessageKind,
    MessageRefused,
    RelayOutbox,
    StorageUnavailable,
)
from automation_retry.application.ports import Broker, Outbox
from automation_retry.entrypoints.clock import utc_now
from tests.support.factories import a_failed_execution, a_retry_write
from tests.support.memory import commit

JOB = MessageKind.JOB


@define
class Flaky(Broker):
    """Takes messages unless there is an error to raise."""

    error: Exception | None = None

    async def send(self, messages: Sequence[Message]) -> None:
        assert messages
        if self.error:
            raise self.error


@pytest.fixture
def broker() -> Flaky:
    return Flaky(BrokerUnavailable("redis", "Connection refused"))


@pytest.fixture
def outbox(store: MemoryStore) -> Outbox:
    """Two retries wait in it."""
    for _ in range(2):
        write = a_retry_write(a_failed_execution())
        store.overwrite(write.failed)
        commit(store, write)
    return MemoryOutbox(store, utc_now)


def relaying(outbox: Outbox, broker: Broker) -> RelayOutbox:
    return RelayOutbox(outbox, dict.fromkeys(MessageKind, broker))


async def kept(outbox: Outbox) -> str | None:
    """Why jobs were not delivered last."""
    [jobs, _] = await outbox.status()
    return jobs.failure.reason if jobs.failure else None


async def test_a_reason_is_kept_until_a_delivery_succeeds(outbox: Outbox, broker: Flaky) -> None:
    """That of another relay counts as well, such as one that was started since."""
    with pytest.raises(BrokerUnavailable):
        await relaying(outbox, broker)(JOB, 10)
    down = await kept(outbox)
    broker.error = None
    await relaying(outbox, broker)(JOB, 1)

    assert down == "Connection refused"
    assert await kept(outbox) is None


async def test_an_outage_after_a_success_is_kept(outbox: Outbox, broker: Flaky) -> None:
    """By the relay that succeeded."""
    relay, broker.error = relaying(outbox, broker), None
    await relay(JOB, 1)
    broker.error = BrokerUnavailable("redis", "timed out")
    with pytest.raises(BrokerUnavailable):
        await relay(JOB, 1)
    down = await kept(outbox)
    broker.error = None
    await relay(JOB, 1)

    assert down == "timed out"
    assert await kept(outbox) is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BrokerUnavailable("redis", "a\nb\x1b[2J" + "c" * 1000), "a b [2J" + "c" * 193),
        (KeyError("tenant's data"), "unexpected KeyError"),
        (MessageRefused(UUID(int=1), "another's message"), "unexpected MessageRefused"),
    ],
)
async def test_a_reason_is_one_short_line_without_a_tenants_data(
    outbox: Outbox, broker: Flaky, error: Exception, reason: str
) -> None:
    """It is shown in terminals, and by a page that needs no key."""
    broker.error = error
    with pytest.raises(type(error)):
        await relaying(outbox, broker)(JOB, 10)

    assert await kept(outbox) == reason


class Forgetful(MemoryOutbox):
    """Has no place for failures, as a database that was not migrated."""

    async def note_failure(self, kind: MessageKind, reason: str) -> None:
        raise StorageUnavailable(f"{kind} {reason}")

    async def clear_failure(self, kind: MessageKind) -> None:
        raise StorageUnavailable(f"{kind}")


async def test_a_relay_delivers_where_reasons_cannot_be_kept(
    store: MemoryStore,
    outbox: Outbox,  # noqa: ARG001 - what waits in the store
    broker: Flaky,
) -> None:
    """It raises what the broker did, and nothing once that is back."""
    relay = relaying(Forgetful(store, utc_now), broker)
    with pytest.raises(BrokerUnavailable):
        await relay(JOB, 10)
    broker.error = None

    assert (await relay(JOB, 10)).delivered == 2
