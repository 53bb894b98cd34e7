"""A wall clock that is set: nothing expires early, and nothing waits longer."""

from datetime import datetime, timedelta
from itertools import cycle

import psycopg
import pytest

from automation_retry.entrypoints.clock import utc_now
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.server import listening_socket
from automation_retry.entrypoints.settings import read_settings
from tests.support.factories import a_failed_execution
from tests.support.world import World, serving


@pytest.mark.parametrize("hours", [(0, 1), (1, 0), (0, -1), (-1, 0), (-1, 1)])
async def test_a_clock_that_jumps_by_an_hour_changes_nothing(
    database_url: str, hours: tuple[int, int]
) -> None:
    """Each look at it jumps: requests and claims have their time, keys and limits their effect."""
    jumps = cycle(hours)

    def clock() -> datetime:
        return utc_now() + timedelta(hours=next(jumps))

    settings = read_settings({"DATABASE_URL": database_url, "RATE_LIMIT_ENFORCE": "true"})
    container = Container(settings=settings, clock=clock)
    with listening_socket("127.0.0.1", 0) as listening:
        async with serving(container, listening) as client:
            world = World(container=container, client=client)
            failed = await world.add(a_failed_execution(tenant=world.tenant))
            key = await world.key()
            first = await world.retry(failed.execution_id, key, idempotency_key="k")
            removed = await container.expire_idempotency_keys()()
            replays = [
                await world.retry(failed.execution_id, key, idempotency_key="k") for _ in range(9)
            ]
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute("SET statement_timeout = '30s'")
                while connection.execute("SELECT FROM automation_outbox").rowcount:
                    pass

    assert removed == 0
    assert {answer.status_code for answer in (first, *replays)} == {200}
    assert {answer.headers["idempotent-replayed"] for answer in replays} == {"true"}
    assert replays[-1].headers["x-ratelimit-remaining"] == "110"
