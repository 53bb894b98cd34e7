"""Rows that other programs wrote are read and retried as they are."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.foreign_rows import ForeignRows, create_table, foreign_rows
from tests.support.world import EXECUTIONS


@pytest.fixture(params=["our table", "another program's table"])
async def rows(
    request: pytest.FixtureRequest, empty_database_url: str
) -> AsyncIterator[ForeignRows]:
    if request.param != "our table":
        create_table(empty_database_url)
    async with foreign_rows(empty_database_url) as opened:
        yield opened


NULLABLE = (
    "trigger_data",
    "started_at",
    "completed_at",
    "duration_ms",
    "error_message",
    "error_stack",
    "failed_action_index",
    "execution_context",
    "logs",
)


async def test_what_is_optional_may_be_missing(rows: ForeignRows) -> None:
    """Null on a read; retried, and archived as missing."""
    execution = rows.insert(**dict.fromkeys((*NULLABLE, "actions_successful", "actions_failed")))
    link = f"{EXECUTIONS}/{execution}"

    read = await rows.world.get(link, rows.key)
    retried = await rows.world.retry(execution, rows.key)
    attempts = await rows.world.get(f"{link}/attempts", rows.key)

    data = read.json()["data"]
    assert [data[name] for name in NULLABLE] == [None] * len(NULLABLE)
    assert (data["actions_successful"], data["actions_failed"]) == (0, 0)
    assert retried.status_code == 200
    [attempt] = attempts.json()["data"]
    cleared = (*NULLABLE[1:7], "actions_successful", "actions_failed")
    assert [attempt[name] for name in cleared] == [None] * len(cleared)
    assert "unreadable" not in attempt


async def test_json_null_is_null(rows: ForeignRows) -> None:
    """As a payload that is missing."""
    execution = rows.insert(logs="null", trigger_data="null", execution_context="null")

    answer = await rows.world.retry(execution, rows.key)

    data = answer.json()["data"]
    assert (data["logs"], data["trigger_data"], data["execution_context"]) == (None, None, None)
    assert rows.stored(execution, "logs") == {"logs": "null"}


ODD_JSON = [
    pytest.param('[{"level": "warning", "text": "no message"}]', id="another form"),
    pytest.param('[{"level": "info", "message": "m", "timestamp": 1732658863.5}]', id="epoch"),
    pytest.param('["a line", 3, null, [{}]]', id="no objects"),
    pytest.param('{"an": "object"}', id="object"),
    pytest.param('"text"', id="text"),
    pytest.param("17", id="number"),
    pytest.param("[" * 1500 + "1" + "]" * 1500, id="1500 levels"),
    pytest.param('{"a":' * 1500 + "1" + "}" * 1500, id="1500 levels of objects"),
    pytest.param('[{"n": ' + "9" * 400 + "}]", id="400 digits"),
    pytest.param("[1e400, -1e-400]", id="beyond a double"),
    pytest.param('[{"level": "info", "message": "m", "extra": {"k": 1.50}}]', id="unknown keys"),
    pytest.param('["\\u2028\\u0001 </script> \\ud83d\\ude80"]', id="odd characters"),
]


@pytest.mark.parametrize("text", ODD_JSON)
async def test_payloads_hold_any_json(rows: ForeignRows, text: str) -> None:
    """They are answered as they are stored, on a read, a retry and its replay; never rewritten."""
    names = ("logs", "trigger_data", "execution_context")
    execution = rows.insert(**dict.fromkeys(names, text))
    before = rows.stored(execution, *names)

    read = await rows.world.get(f"{EXECUTIONS}/{execution}", rows.key)
    retried = await rows.world.retry(execution, rows.key, idempotency_key="k")
    replayed = await rows.world.retry(execution, rows.key, idempotency_key="k")

    assert (read.status_code, retried.status_code, replayed.status_code) == (200, 200, 200)
    for name in names:
        assert f'"{name}":{before[name]}' in read.text
        assert f'"{name}":{before[name]}' in retried.text
    assert replayed.content == retried.content
    assert replayed.headers["idempotent-replayed"] == "true"
    assert rows.stored(execution, *names) == before


@pytest.mark.parametrize("status", ["queued", "FAILED", "", "failed "])
async def test_an_unknown_status_is_shown_and_not_retried(rows: ForeignRows, status: str) -> None:
    execution = rows.insert(status=status)

    read = await rows.world.get(f"{EXECUTIONS}/{execution}", rows.key)
    refused = await rows.world.retry(execution, rows.key)

    assert read.json()["data"]["status"] == status
    assert "retry" not in read.json()["data"]["_links"]
    assert refused.status_code == 400
    assert refused.json()["error"]["details"] == {"status": status, "retry_count": 0}


async def test_counters_need_not_add_up(rows: ForeignRows) -> None:
    """They are answered and archived as stored."""
    execution = rows.insert(actions_total=1, actions_successful=5, actions_failed=7)

    read = await rows.world.get(f"{EXECUTIONS}/{execution}", rows.key)
    retried = await rows.world.retry(execution, rows.key)

    data = read.json()["data"]
    assert (data["actions_total"], data["actions_successful"], data["actions_failed"]) == (1, 5, 7)
    assert retried.status_code == 200
    [attempt] = rows.archived(execution)
    assert (attempt["actions_successful"], attempt["actions_failed"]) == (5, 7)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("started_at", "infinity"),
        ("started_at", "0044-03-15 12:00:00 BC"),
        ("completed_at", "-infinity"),
        ("completed_at", "20000-01-01"),
        ("duration_ms", "NaN"),
        ("duration_ms", "Infinity"),
        ("duration_ms", -0.5),
        ("actions_successful", -1),
        ("actions_failed", -2147483648),
    ],
)
async def test_a_cleared_value_out_of_range_is_unreadable_and_retried(
    rows: ForeignRows, column: str, value: Any
) -> None:
    """500 on a read, whose log names execution and column; its retry archives it as it is."""
    execution = rows.insert(**{column: value})
    link = f"{EXECUTIONS}/{execution}"
    before = rows.stored(execution, column)[column]

    read = await rows.world.get(link, rows.key)
    retried = await rows.world.retry(execution, rows.key)
    readable = await rows.world.get(link, rows.key)
    attempts = await rows.world.get(f"{link}/attempts", rows.key)

    [archived] = rows.execute(f"SELECT {column}::text AS value FROM automation_failed_attempts")
    assert read.status_code == 500
    assert read.json()["error"]["code"] == "INTERNAL_ERROR"
    assert (retried.status_code, readable.status_code) == (200, 200)
    [attempt] = attempts.json()["data"]
    assert attempt["unreadable"] == [column]
    assert attempt[column] is None
    assert archived["value"] == before


WIDE: list[tuple[str, str, object, bool]] = [
    ("actions_failed", "bigint", 2**31, True),
    ("actions_successful", "bigint", 2**62, True),
    ("failed_action_index", "bigint", 2**40, True),
    ("failed_action_index", "bigint", -(2**40), True),
    ("duration_ms", "numeric", "1e400", False),
    ("duration_ms", "numeric", "1e-400", True),
    ("duration_ms", "numeric", "1e20", True),
    ("duration_ms", "double precision", "1e308", True),
    ("duration_ms", "real", "3.4e38", True),
    ("started_at", "timestamptz", "294276-12-31 23:59:59.999999+00", False),
    ("completed_at", "timestamp", "9999-12-31 23:59:59.999999", True),
    ("completed_at", "timestamptz", "0001-01-01 00:00:00.000001+00", True),
]


@pytest.mark.parametrize(("column", "type_", "value", "readable"), WIDE)
async def test_the_archive_holds_what_wider_columns_held(
    empty_database_url: str, column: str, type_: str, value: object, readable: bool
) -> None:
    """Retried in any case; what no column of the archive can hold is kept beside the others."""
    create_table(empty_database_url, **{column: type_})
    async with foreign_rows(empty_database_url, settings=["timezone = 'Asia/Kolkata'"]) as rows:
        execution = rows.insert(**{column: value})
        link = f"{EXECUTIONS}/{execution}"
        before = await rows.world.get(link, rows.key)
        stored = rows.stored(execution, column)[column]
        retried = await rows.world.retry(execution, rows.key)
        attempts = await rows.world.get(f"{link}/attempts", rows.key)
        [archived] = rows.execute(
            f"SELECT to_jsonb({column}) AS value, out_of_range ->> '{column}' AS kept,"
            f" extract(epoch FROM completed_at)::text AS epoch FROM automation_failed_attempts"
        )
        [expected] = rows.execute(f"SELECT to_jsonb('{value}'::{type_}) AS value")

    assert before.status_code == (200 if readable else 500)
    assert (retried.status_code, attempts.status_code) == (200, 200)
    [attempt] = attempts.json()["data"]
    kept_beside = archived["kept"] is not None
    assert (attempt.get("unreadable", []) == [column]) == (kept_beside or not readable)
    if kept_beside and column != "started_at":
        assert archived["kept"] == stored
    elif kept_beside:
        assert archived["kept"].startswith("294277-01-01T05:29:59.999999")
    elif column in ("started_at", "completed_at"):
        assert attempt[column] == (before.json()["data"][column] if readable else None)
    else:
        assert archived["value"] == pytest.approx(expected["value"])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actions_total", -1),
        ("retry_count", 2**31 - 1),
    ],
)
async def test_a_kept_value_out_of_range_stops_the_retry(
    rows: ForeignRows, column: str, value: int
) -> None:
    """500 before anything is written."""
    execution = rows.insert(**{column: value})
    before = rows.stored(execution, column, "status", "retry_count")

    retried = await rows.world.retry(execution, rows.key)

    assert retried.status_code == 500
    assert rows.stored(execution, column, "status", "retry_count") == before
    assert rows.archived(execution) == []


@pytest.mark.parametrize("column", ["actions_total", "automation_rule_id", "status"])
async def test_a_required_value_that_is_missing_stops_everything(
    empty_database_url: str, column: str
) -> None:
    """500, on a read as well; nothing is written."""
    create_table(empty_database_url)
    async with foreign_rows(empty_database_url) as rows:
        execution = rows.insert(**{column: None})
        read = await rows.world.get(f"{EXECUTIONS}/{execution}", rows.key)
        retried = await rows.world.retry(execution, rows.key)

        assert (read.status_code, retried.status_code) == (500, 500)
        assert rows.archived(execution) == []


async def test_a_retry_count_that_was_set_back_goes_on_after_the_last_attempt(
    rows: ForeignRows,
) -> None:
    """No number is used twice, since engines fence their results by it."""
    execution = rows.insert()
    again = "UPDATE automation_executions SET status = 'failed', retry_count = 0"
    numbers = []
    for _ in range(3):
        answer = await rows.world.retry(execution, rows.key)
        numbers.append(answer.json()["data"]["retry_count"])
        rows.execute(again)
    rows.execute("DELETE FROM automation_failed_attempts")
    started_over = await rows.world.retry(execution, rows.key)

    assert numbers == [1, 2, 3]
    assert started_over.json()["data"]["retry_count"] == 1
    assert [row["attempt"] for row in rows.archived(execution)] == [1]
