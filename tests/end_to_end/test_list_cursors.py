"""Cursors of `GET /executions` over HTTP: every execution once, while others come and go."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.support.factories import NOON, a_failed_execution
from tests.support.world import EXECUTIONS, World

NUMBER = 7


async def some_failed(world: World) -> list[str]:
    """Two started at each time, the newest first."""
    executions = [
        a_failed_execution(
            tenant=world.tenant,
            started_at=NOON - timedelta(minutes=age // 2),
            error_message=f"SMTP {age}",
        )
        for age in range(NUMBER)
    ]
    await world.storage.executions.add(executions)
    return [str(one.execution_id) for one in executions]


async def walk(
    world: World, key: str, query: str, between: Callable[[Any], Awaitable[None]] | None = None
) -> AsyncIterator[Any]:
    """The answers from the first to the last; `between` gets each before the next is asked for."""
    cursor = ""
    while cursor is not None:
        answer = await world.get(f"{EXECUTIONS}?{query}{cursor}", key)
        assert answer.status_code == 200, answer.text
        yield answer.json()
        if between:
            await between(answer.json())
        following = answer.json()["pagination"]["nextCursor"]
        cursor = following and f"&cursor={following}"


def ids(answers: list[Any]) -> list[str]:
    return [one["execution_id"] for answer in answers for one in answer["data"]]


@pytest.mark.parametrize("limit", [1, 2, 3, NUMBER, NUMBER + 1])
@pytest.mark.parametrize(
    "query",
    [
        "sort=started_at",
        "sort=started_at&order=asc",
        "sort=failed_at",
        "sort=duration_ms&order=asc&status=failed",
        "sort=completed_at&fields=status",
        "search=smtp",
    ],
)
async def test_cursors_walk_the_list_that_pages_show(world: World, query: str, limit: int) -> None:
    """In the same order, ties included, and with no empty answer in the end."""
    await some_failed(world)
    key = await world.key()
    whole = ids([(await world.get(f"{EXECUTIONS}?limit=100&{query}", key)).json()])

    answers = [one async for one in walk(world, key, f"limit={limit}&{query}")]

    assert ids(answers) == whole
    assert len(answers) == -(-NUMBER // limit)
    assert [one["pagination"]["hasNext"] for one in answers][-1] is False


async def test_what_comes_and_goes_moves_no_other(world: World) -> None:
    """New ones at the front, and retries, which take what was shown out of the list."""
    stored = await some_failed(world)
    key = await world.key()

    async def change(shown: Any) -> None:
        new = NOON + timedelta(hours=1)
        await world.add(a_failed_execution(tenant=world.tenant, started_at=new))
        await world.retry(ids([shown])[0], key)

    answers = [one async for one in walk(world, key, "limit=1&status=failed", change)]

    assert sorted(ids(answers)) == sorted(stored)


async def test_a_cursor_knows_nothing_about_pages(world: World) -> None:
    """Whatever is about pages is null; that of a page goes on after it."""
    await some_failed(world)
    key = await world.key()
    page = (await world.get(f"{EXECUTIONS}?limit=2&page=2", key)).json()
    cursor = page["pagination"]["nextCursor"]

    answer = (await world.get(f"{EXECUTIONS}?limit=2&cursor={cursor}", key)).json()
    third = (await world.get(f"{EXECUTIONS}?limit=2&page=3", key)).json()

    about = answer["pagination"]
    assert answer["data"] == third["data"]
    assert about.pop("nextCursor")
    assert about == {
        "page": None,
        "limit": 2,
        "total": None,
        "totalPages": None,
        "hasNext": True,
        "hasPrev": None,
        "totalIsExact": None,
    }
