"""Concurrent requests have exactly one effect."""

import asyncio
from collections import Counter
from uuid import uuid4

from automation_retry.application import MessageKind, PageRequest
from tests.support.factories import a_failed_execution
from tests.support.world import World


async def test_of_fifty_retries_one_wins(postgres_world: World) -> None:
    """One 200 and forty-nine 400; one failed attempt, one job, one event."""
    world = postgres_world
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key()

    answers = await asyncio.gather(*[world.retry(failed.execution_id, key) for _ in range(50)])

    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 49}
    page = await world.storage.executions.failed_attempts(
        world.tenant, failed.execution_id, PageRequest(limit=10)
    )
    assert [attempt.attempt for attempt in page.items] == [1]
    for kind in MessageKind:
        assert len(await world.sent(kind)) == 1


async def test_a_usage_limit_of_ten_admits_ten(postgres_world: World) -> None:
    """Of a hundred concurrent requests with the key exactly ten get past 401."""
    world = postgres_world
    key = await world.key(usage_limit=10)

    answers = await asyncio.gather(*[world.retry(uuid4(), key) for _ in range(100)])

    assert Counter(answer.status_code for answer in answers) == {404: 10, 401: 90}
