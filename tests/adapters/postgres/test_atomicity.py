"""A commit that fails in any of its parts leaves nothing behind."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import LiteralString

import psycopg
import pytest

from automation_retry.application import MessageKind, PageRequest
from tests.support.factories import a_failed_execution
from tests.support.messages import Sent
from tests.support.without_delivery import WITHOUT_DELIVERY
from tests.support.world import World, running_service

PARTS = {
    "automation_executions": 500,
    "automation_failed_attempts": 500,
    "procrastinate_jobs": 503,  # by which the commit hands over, as to any other broker
}

BREAK: LiteralString = """
CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'broken on purpose';
END;
$$
"""


@contextmanager
def broken(url: str, part: LiteralString) -> Iterator[None]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(BREAK)
        connection.execute(
            f"CREATE TRIGGER broken AFTER INSERT OR UPDATE ON {part}"
            " FOR EACH ROW EXECUTE FUNCTION broken()"
        )
        yield
        connection.execute(f"DROP TRIGGER broken ON {part}")


async def messages_of(world: World) -> Sequence[Sent]:
    """Those in the outbox, and those that were handed over."""
    return [sent for kind in MessageKind for sent in await world.sent(kind)]


@pytest.mark.parametrize("part", PARTS)
async def test_an_error_in_one_part_undoes_all(
    postgres_world: World, database_url: str, part: LiteralString
) -> None:
    """The execution is as it was, with no attempt and no message; then it can be retried."""
    world = postgres_world
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key()
    with broken(database_url, part):
        answer = await world.retry(failed.execution_id, key)
        executions = world.storage.executions
        stored = await executions.get(world.tenant, failed.execution_id)
        attempts = await executions.failed_attempts(
            world.tenant, failed.execution_id, PageRequest()
        )
        messages = await messages_of(world)
    mended = await world.retry(failed.execution_id, key)

    assert answer.status_code == PARTS[part]
    assert "broken on purpose" not in answer.text
    assert stored == failed
    assert attempts.total == 0
    assert messages == []
    assert mended.status_code == 200
    assert len(await messages_of(world)) == 2


async def test_an_error_in_the_outbox_undoes_all(database_url: str) -> None:
    """Where messages wait for a relay."""
    async with running_service({"DATABASE_URL": database_url, **WITHOUT_DELIVERY}) as world:
        failed = await world.add(a_failed_execution(tenant=world.tenant))
        key = await world.key()
        with broken(database_url, "automation_outbox"):
            answer = await world.retry(failed.execution_id, key)
            stored = await world.storage.executions.get(world.tenant, failed.execution_id)
            messages = await messages_of(world)
        mended = await world.retry(failed.execution_id, key)

        assert answer.status_code == 500
        assert stored == failed
        assert messages == []
        assert mended.status_code == 200
        assert len(await messages_of(world)) == 2
