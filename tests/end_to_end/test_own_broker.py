"""A new broker is a type of its own and one line in the table: nothing else knows its name."""

import asyncio
from collections.abc import Sequence

import environ
import pytest
from attrs import define, field, frozen

from automation_retry.adapters.broker_type import BrokerType
from automation_retry.adapters.environment import SettingsError, variable, whole
from automation_retry.adapters.no_tables import NoTables
from automation_retry.adapters.storage_kind import EVERY_STORAGE, StorageKind
from automation_retry.application import Message, MessageKind
from automation_retry.application.ports import (
    Broker,
    BrokerBundle,
    Lifecycle,
    Readiness,
    Storage,
)
from automation_retry.entrypoints.brokers import BROKERS
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.lifecycle import opened
from automation_retry.entrypoints.settings import read_settings, settings_help
from tests.support.factories import a_failed_execution, a_principal
from tests.support.messages import opened as opened_message


@define(eq=False)
class Pigeons(Broker, Lifecycle, Readiness):
    """Carries each message to the loft, as long as there are birds."""

    birds: int
    kinds: frozenset[MessageKind]
    is_open: bool = False
    loft: asyncio.Queue[Message] = field(init=False, factory=asyncio.Queue)

    async def open(self) -> None:
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    async def problems(self) -> Sequence[str]:
        return () if self.birds else ("There are no birds.",)

    async def send(self, messages: Sequence[Message]) -> None:
        assert self.is_open
        assert {message.kind for message in messages} <= self.kinds
        for message in messages:
            self.loft.put_nowait(message)


@environ.config(prefix="", frozen=True)
class PigeonVariables:
    birds: int = variable("AUTOMATION_RETRY_BIRDS", whole(1, 100), "How many fly.", default="3")


def pigeons(
    variables: PigeonVariables, _storage: Storage, kinds: frozenset[MessageKind]
) -> BrokerBundle:
    broker = Pigeons(variables.birds, kinds)
    return BrokerBundle(
        name="pigeons", broker=broker, lifecycle=broker, schema=NoTables(), readiness=broker
    )


PIGEONS = BrokerType(name="pigeons", storages=EVERY_STORAGE, variables=PigeonVariables, new=pigeons)
WITH_PIGEONS = {**BROKERS, PIGEONS.name: PIGEONS}


@frozen
class Service:
    container: Container

    def pigeons(self) -> Pigeons:
        broker = self.container.brokers().jobs.broker
        assert isinstance(broker, Pigeons)
        return broker


def service(url: str, **variables: str) -> Service:
    settings = read_settings(
        {"DATABASE_URL": url, "AUTOMATION_RETRY_JOB_QUEUE": "pigeons", **variables},
        brokers=WITH_PIGEONS,
    )
    return Service(Container(settings=settings))


@pytest.mark.parametrize("storage", ["memory", "postgres"])
async def test_it_delivers(storage: str, request: pytest.FixtureRequest) -> None:
    """Jobs go by it, while the events go by the storage's default broker."""
    url = "memory:" if storage == "memory" else request.getfixturevalue("database_url")
    failed = a_failed_execution()
    running = service(url, AUTOMATION_RETRY_BIRDS="7")
    async with opened(running.container, relay=True):
        await running.container.storage().executions.add([failed])
        retry_execution = running.container.retry_execution()
        retried = await retry_execution(a_principal(tenant=failed.tenant), failed.execution_id)
        async with asyncio.timeout(30):
            job = await running.pigeons().loft.get()

    assert job.kind is MessageKind.JOB
    assert opened_message(job).retried.attempt == retried.execution.retry_count
    assert running.pigeons().birds == 7
    assert running.pigeons().kinds == {MessageKind.JOB}
    assert not running.pigeons().is_open


async def test_it_may_carry_both_kinds() -> None:
    """One bundle is then opened, and gets jobs and events."""
    failed = a_failed_execution()
    running = service("memory:", AUTOMATION_RETRY_EVENT_BUS="pigeons")
    async with opened(running.container, relay=True):
        await running.container.storage().executions.add([failed])
        await running.container.retry_execution()(
            a_principal(tenant=failed.tenant), failed.execution_id
        )
        async with asyncio.timeout(30):
            kinds = {(await running.pigeons().loft.get()).kind for _ in range(2)}

    assert kinds == set(MessageKind)
    assert running.container.brokers().events is running.container.brokers().jobs


def test_its_variables_are_settings_like_any_other() -> None:
    """They are checked by their names, and stand in the help."""
    with pytest.raises(SettingsError, match="AUTOMATION_RETRY_BIRDS: must be a whole number"):
        service("memory:", AUTOMATION_RETRY_BIRDS="many")
    assert "AUTOMATION_RETRY_BIRDS" in settings_help(WITH_PIGEONS)
    assert "AUTOMATION_RETRY_BIRDS" not in settings_help()


def test_an_unknown_broker_is_refused_with_the_names_of_the_known() -> None:
    """Those of the table, in its order."""
    with pytest.raises(SettingsError, match="must be one of memory, procrastinate, redis, nats"):
        read_settings({"DATABASE_URL": "memory:", "AUTOMATION_RETRY_JOB_QUEUE": "pigeons"})


@pytest.mark.parametrize("kind", list(StorageKind))
def test_every_storage_has_a_default_broker(kind: StorageKind) -> None:
    """Without a choice, the first of the table that works with the storage carries both kinds."""
    urls = {
        StorageKind.MEMORY: "memory:",
        StorageKind.EMBEDDED: "embedded:somewhere",
        StorageKind.POSTGRESQL: "postgresql://db/automation",
    }
    settings = read_settings({"DATABASE_URL": urls[kind]})
    expected = "memory" if kind is StorageKind.MEMORY else "procrastinate"

    assert (settings.job_broker, settings.event_broker) == (expected, expected)
