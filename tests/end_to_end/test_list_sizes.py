"""A list answers with 8 MiB at most, whatever is stored, the same on every storage."""

from typing import Any

from automation_retry.domain import Json
from tests.support.factories import a_failed_execution
from tests.support.world import EXECUTIONS, World


async def failures(world: World, number: int, **changes: Any) -> None:
    await world.storage.executions.add(
        [a_failed_execution(tenant=world.tenant, **changes) for _ in range(number)]
    )


async def test_the_list_never_holds_more_than_8_mib(world: World) -> None:
    """What is large in later rows is null and named; no row is dropped, and the start is whole."""
    await failures(world, 12, trigger_data=Json('"' + "x" * 1_000_000 + '"'))

    answer = await world.get(EXECUTIONS, await world.key())

    rows = answer.json()["data"]
    cut = [one.get("truncated", []) for one in rows]
    assert len(answer.content) <= 8 * 2**20
    assert [row["trigger_data"] is None for row in rows] == ["trigger_data" in one for one in cut]
    assert len(rows) == 12
    assert not cut[0]
    assert sum(not one for one in cut) in {7, 8}


async def test_what_json_makes_longer_is_measured_as_sent(world: World) -> None:
    """A control character is one byte in the storage, and six in JSON."""
    await failures(world, 20, error_message="\x01" * 200_000, logs=())

    answer = await world.get(f"{EXECUTIONS}?fields=error_message", await world.key())

    rows = answer.json()["data"]
    assert len(answer.content) <= 8 * 2**20
    assert [row.get("truncated") for row in rows] == [None] * 6 + [["error_message"]] * 14
