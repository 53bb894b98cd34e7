"""Keys with a usage limit, and the rate limit, over HTTP."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest

from tests.support.world import World, running_service


@pytest.fixture(params=["memory", "postgres"])
async def enforcing(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A service that refuses what exceeds the rate limit: bursts of more than 120."""
    url = "memory:" if request.param == "memory" else request.getfixturevalue("shared_database_url")
    async with running_service({"DATABASE_URL": url, "RATE_LIMIT_ENFORCE": "yes"}) as world:
        yield world


async def uses(world: World) -> int:
    [key] = await world.storage.directory.api_keys(world.tenant)
    return key.usage_count


async def test_a_refused_request_uses_nothing_up(enforcing: World) -> None:
    """As many uses are counted as requests passed the rate limit."""
    key = await enforcing.key(usage_limit=1000)

    answers = await asyncio.gather(*[enforcing.retry(uuid4(), key) for _ in range(200)])

    seen = Counter(answer.status_code for answer in answers)
    assert set(seen) == {404, 429}
    assert await uses(enforcing) == seen[404]


async def test_exactly_as_many_requests_pass_as_the_limit_leaves(enforcing: World) -> None:
    """Of concurrent ones as well; the others are 401."""
    key = await enforcing.key(usage_limit=7)

    answers = await asyncio.gather(*[enforcing.retry(uuid4(), key) for _ in range(50)])

    assert Counter(answer.status_code for answer in answers) == {404: 7, 401: 43}
    assert await uses(enforcing) == 7


async def test_a_count_far_below_zero_is_a_count(postgres_world: World, database_url: str) -> None:
    """Whoever wrote it: its difference from the limit is more than an integer of 32 bits."""
    key = await postgres_world.key(usage_limit=7)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE api_keys SET usage_count = -2147483648")

    answer = await postgres_world.retry(uuid4(), key)

    assert answer.status_code == 404
    assert await uses(postgres_world) == -2147483647


async def test_every_answer_to_a_known_key_has_the_headers_of_the_rate_limit(
    enforcing: World,
) -> None:
    """Whatever becomes of the request."""
    key, nobody = await enforcing.key(), await enforcing.key(frozenset(), username="nobody")
    busy = await enforcing.key(username="busy")
    burst = await asyncio.gather(*[enforcing.retry(uuid4(), busy) for _ in range(200)])
    refused = next(answer for answer in burst if answer.status_code == 429)
    answers = {
        400: await enforcing.retry("x", key),
        403: await enforcing.retry(uuid4(), nobody),
        404: await enforcing.retry(uuid4(), key),
        413: await enforcing.client.post(
            f"/api/v1/automation/executions/{uuid4()}/retry",
            headers={"x-api-key": key},
            content=b" " * (1024 * 1024 + 1),
        ),
        429: refused,
    }

    assert {status: answer.status_code for status, answer in answers.items()} == {
        status: status for status in answers
    }
    for answer in answers.values():
        assert int(answer.headers["x-ratelimit-remaining"]) >= 0
        assert answer.headers["x-ratelimit-limit"] == "120"
        assert answer.headers["x-request-id"]
