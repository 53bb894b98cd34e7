"""Executions that carry more than answers should: read in part, retried like any other."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import evolve

from automation_retry.domain import ExecutionStatus
from tests.support.factories import a_failed_execution
from tests.support.foreign_rows import ForeignRows, foreign_rows
from tests.support.world import EXECUTIONS

LIMIT = 20_000
FULL = "jsonb_build_object('text', {text})"
COMPRESSIBLE = "repeat('x', {size})"
RANDOM = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, {size} / 32) n)"


@pytest.fixture
async def rows(empty_database_url: str) -> AsyncIterator[ForeignRows]:
    variables = {"AUTOMATION_RETRY_PAYLOAD_LIMIT_BYTES": str(LIMIT)}
    async with foreign_rows(empty_database_url, variables=variables) as opened:
        yield opened


def enlarge(rows: ForeignRows, column: str, expression: str) -> None:
    rows.execute(f"UPDATE automation_executions SET {column} = {expression}")


PAYLOADS = [
    pytest.param(RANDOM.format(size=2 * LIMIT), True, id="stored in more than the limit"),
    pytest.param(RANDOM.format(size=LIMIT // 2), False, id="stored in less"),
    pytest.param(COMPRESSIBLE.format(size=5 * LIMIT), True, id="decompressed, over four times"),
    pytest.param(COMPRESSIBLE.format(size=3 * LIMIT), False, id="decompressed, less"),
    pytest.param(COMPRESSIBLE.format(size=50_000_000), True, id="50 MB stored in 0.6"),
]


@pytest.mark.parametrize("column", ["logs", "trigger_data", "execution_context"])
@pytest.mark.parametrize(("text", "truncated"), PAYLOADS)
async def test_a_large_payload_is_left_out(
    rows: ForeignRows, column: str, text: str, truncated: bool
) -> None:
    """The answer says so; the others are there, and the payload stays as it is."""
    execution = rows.insert(trigger_data="{}", execution_context="{}", logs="[]")
    enlarge(rows, column, f"jsonb_build_array({text})")
    [before] = rows.execute(f"SELECT md5({column}::text) AS digest FROM automation_executions")

    read = await rows.world.get(f"{EXECUTIONS}/{execution}", rows.key)
    retried = await rows.world.retry(execution, rows.key, idempotency_key="k")
    replayed = await rows.world.retry(execution, rows.key, idempotency_key="k")

    for answer in (read, retried):
        data = answer.json()["data"]
        assert answer.status_code == 200
        assert data.get("truncated", []) == ([column] if truncated else [])
        assert (data[column] is None) == truncated
        others: dict[str, Any] = {"trigger_data": {}, "execution_context": {}, "logs": []}
        del others[column]
        assert {name: data[name] for name in others} == others
    assert replayed.content == retried.content
    [after] = rows.execute(f"SELECT md5({column}::text) AS digest FROM automation_executions")
    assert after == before


@pytest.mark.parametrize("column", ["error_message", "error_stack"])
async def test_a_large_text_is_left_out(rows: ForeignRows, column: str) -> None:
    """Its retry archives all of it, and the attempt says that it is not shown."""
    execution = rows.insert(error_message="m", error_stack="s")
    enlarge(rows, column, COMPRESSIBLE.format(size=LIMIT + 1))
    link = f"{EXECUTIONS}/{execution}"

    read = await rows.world.get(link, rows.key)
    retried = await rows.world.retry(execution, rows.key)
    attempts = await rows.world.get(f"{link}/attempts", rows.key)

    assert read.json()["data"]["truncated"] == [column]
    assert read.json()["data"][column] is None
    assert "truncated" not in retried.json()["data"]
    [attempt] = attempts.json()["data"]
    assert attempt["truncated"] == [column]
    assert attempt[column] is None
    [archived] = rows.execute(
        f"SELECT octet_length({column}) AS size FROM automation_failed_attempts"
    )
    assert archived["size"] == LIMIT + 1


async def test_a_page_of_attempts_is_bounded(rows: ForeignRows) -> None:
    """The newest ones are shown with their texts, up to four times the limit."""
    execution = rows.insert()
    rows.execute("UPDATE automation_executions SET retry_count = 10")
    rows.execute(
        "INSERT INTO automation_failed_attempts (tenant, execution_id, attempt, retried_at,"
        " retried_by, error_stack) SELECT tenant, execution_id, n, now(), gen_random_uuid(),"
        " CASE WHEN n <> 9 THEN repeat('x', 15000) END"
        " FROM automation_executions, generate_series(1, 10) n"
    )

    answer = await rows.world.get(f"{EXECUTIONS}/{execution}/attempts", rows.key)

    page = answer.json()["data"]
    shown = [attempt["attempt"] for attempt in page if "truncated" not in attempt]
    assert shown == [10, 9, 8, 7, 6, 5]
    assert [one["attempt"] for one in page if one["error_stack"]] == [10, 8, 7, 6, 5]


async def test_small_and_large_ones_are_retried_together(rows: ForeignRows) -> None:
    """Concurrent requests, in one process."""
    executions = [rows.insert(logs="[]") for _ in range(20)]
    rows.execute(
        f"UPDATE automation_executions SET logs = {FULL.format(text=RANDOM.format(size=70_000))}"
        " WHERE execution_id IN (SELECT execution_id FROM automation_executions LIMIT 10)"
    )

    answers = await _all(rows, executions)

    truncated = [answer.json()["data"].get("truncated", []) for answer in answers]
    assert sorted(truncated) == 10 * [[]] + 10 * [["logs"]]


async def _all(rows: ForeignRows, executions: list[Any]) -> list[Any]:
    answers = await asyncio.gather(*[rows.world.retry(one, rows.key) for one in executions])
    assert {answer.status_code for answer in answers} == {200}
    return list(answers)


async def test_a_report_keeps_what_was_not_read(rows: ForeignRows) -> None:
    """An engine in this process cannot overwrite what it does not know."""
    failed = await rows.world.add(a_failed_execution(tenant=rows.world.tenant))
    enlarge(rows, "logs", f"jsonb_build_array({RANDOM.format(size=2 * LIMIT)})")
    executions = rows.world.storage.executions
    [before] = rows.execute("SELECT md5(logs::text) AS digest FROM automation_executions")
    read = await executions.get(failed.tenant, failed.execution_id)

    assert await executions.report(evolve(read, status=ExecutionStatus.COMPLETED))

    [after] = rows.execute("SELECT md5(logs::text) AS digest, status FROM automation_executions")
    assert read.truncated == {"logs"}
    assert after == before | {"status": "completed"}
