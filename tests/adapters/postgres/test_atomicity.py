"""A commit that fails in any of its parts leaves nothing behind."""

from typing import LiteralString

import psycopg
import pytest

from automation_retry.application import Message, MessageKind, PageRequest
from tests.support.factories import a_failed_execution
from tests.support.world import World

PARTS = ["automation_executions", "automation_failed_attempts", "automation_outbox"]

BREAK: LiteralString = """
CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'broken on purpose';
END;
$$
"""


@pytest.mark.parametrize("part", PARTS)
async def test_an_error_in_one_part_undoes_all(
    postgres_world: World, database_url: str, part: LiteralString
) -> None:
    """500; the execution is as it was, with no attempt and no message; then it can be retried."""
    world = postgres_world
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key()
    with psycopg.connect(database_url) as connection:
        connection.execute(BREAK)
        connection.execute(
            f"CREATE TRIGGER broken AFTER INSERT OR UPDATE ON {part}"
            " FOR EACH ROW EXECUTE FUNCTION broken()"
        )

    broken = await world.retry(failed.execution_id, key)
    executions = world.storage.executions
    stored = await executions.get(world.tenant, failed.execution_id)
    attempts = await executions.failed_attempts(world.tenant, failed.execution_id, PageRequest())
    messages: list[Message] = []
    for kind in MessageKind:
        async with world.storage.outbox.claim(kind, 10) as claim:
            messages += claim.messages
    with psycopg.connect(database_url) as connection:
        connection.execute(f"DROP TRIGGER broken ON {part}")
    mended = await world.retry(failed.execution_id, key)

    assert broken.status_code == 500
    assert broken.json() == {
        "error": {"code": "INTERNAL_ERROR", "message": "An unexpected error occurred"}
    }
    assert stored == failed
    assert attempts.total == 0
    assert messages == []
    assert mended.status_code == 200
