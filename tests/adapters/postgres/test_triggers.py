"""Triggers and rules of others on `automation_executions`."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any, LiteralString

import pytest
from structlog.testing import capture_logs

from automation_retry.application import MessageKind
from tests.support.factories import a_failed_execution, a_retry_write
from tests.support.foreign_rows import ForeignRows, create_table, foreign_rows
from tests.support.world import EXECUTIONS

Lines = list[MutableMapping[str, Any]]
SECRET = "the tenant's own text"

TRIGGER: LiteralString = """
CREATE TRIGGER theirs BEFORE UPDATE ON automation_executions
FOR EACH ROW EXECUTE FUNCTION theirs()
"""


@pytest.fixture
async def rows(empty_database_url: str) -> AsyncIterator[ForeignRows]:
    async with foreign_rows(empty_database_url) as opened:
        yield opened


def install(rows: ForeignRows, body: LiteralString) -> None:
    rows.execute(
        "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + body + " END; $$"
    )
    rows.execute(TRIGGER)


async def test_an_update_that_a_trigger_swallows_is_an_error(rows: ForeignRows) -> None:
    """500, nothing is written, and the log says so."""
    install(rows, "RETURN NULL;")
    execution = rows.insert(error_message=SECRET)

    with capture_logs() as lines:
        answer = await rows.world.retry(execution, rows.key)

    assert answer.status_code == 500
    assert rows.stored(execution, "status") == {"status": "failed"}
    assert rows.archived(execution) == []
    assert [await rows.world.sent(kind) for kind in MessageKind] == [[], []]
    [line] = requests(lines)
    assert line["reason"] == (
        f"The update of execution {execution} was discarded, as by a trigger or a rule on "
        "automation_executions"
    )


async def test_of_several_only_the_swallowed_one_is_left_out(rows: ForeignRows) -> None:
    """The others of the unit of work are written."""
    tenant = rows.world.tenant
    swallowed, other = [await rows.world.add(a_failed_execution(tenant=tenant)) for _ in range(2)]
    install(
        rows,
        "RETURN CASE WHEN NEW.execution_id = (SELECT min(execution_id::text)::uuid"
        " FROM automation_executions) THEN NULL ELSE NEW END;",
    )
    swallowed, other = sorted([swallowed, other], key=lambda one: str(one.execution_id))

    async with rows.world.storage.new_unit_of_work() as work:
        for execution in (swallowed, other):
            a_retry_write(execution).stage(work)
        outcome = await work.commit()

    assert outcome.discarded == {swallowed.execution_id}
    assert outcome.committed.keys() == {other.execution_id}
    assert rows.archived(swallowed.execution_id) == []
    assert len(await rows.world.sent(MessageKind.JOB)) == 1


async def test_the_answer_is_what_a_trigger_made_of_it(rows: ForeignRows) -> None:
    """It is stored, so it is what was committed."""
    install(
        rows,
        "NEW.status := 'queued'; NEW.logs := '[1]'; NEW.actions_total := 9;"
        " NEW.started_at := '2026-01-02 03:04:05+00'; RETURN NEW;",
    )
    execution = rows.insert(logs="[]", error_message=SECRET)

    answer = await rows.world.retry(execution, rows.key)
    read = await rows.world.get(f"{EXECUTIONS}/{execution}", rows.key)

    data = answer.json()["data"]
    assert answer.status_code == 200
    assert {**data, "_links": None} == {**read.json()["data"], "_links": None}
    assert (data["status"], data["logs"], data["actions_total"]) == ("queued", [1], 9)


UNANSWERABLE: list[LiteralString] = [
    "NEW.status := NULL",
    "NEW.actions_total := -1",
    "NEW.automation_rule_id := NULL",
]


@pytest.mark.parametrize("change", UNANSWERABLE)
async def test_what_a_trigger_made_inexpressible_is_committed_without_an_answer(
    empty_database_url: str, change: LiteralString
) -> None:
    """503, since the retry is written; others of the same group have their answers."""
    create_table(empty_database_url)
    async with foreign_rows(empty_database_url) as rows:
        install(rows, f"IF OLD.error_message = 'odd' THEN {change}; END IF; RETURN NEW;")
        odd = rows.insert(error_message="odd")
        others = [rows.insert() for _ in range(7)]
        answers = await asyncio.gather(
            *[rows.world.retry(one, rows.key) for one in (*others[:3], odd, *others[3:])]
        )

        assert [one.status_code for one in answers] == [200] * 3 + [503] + [200] * 4
        assert len(rows.archived(odd)) == 1


async def test_a_time_that_a_trigger_made_infinite_is_left_out(rows: ForeignRows) -> None:
    """As on a read of an attempt."""
    install(rows, "NEW.completed_at := 'infinity'; RETURN NEW;")
    execution = rows.insert()

    answer = await rows.world.retry(execution, rows.key)

    data = answer.json()["data"]
    assert answer.status_code == 200
    assert (data["completed_at"], data["unreadable"]) == (None, ["completed_at"])


@pytest.mark.parametrize("code", ["42703", "42501", "40001", "57014", "54000", "23514", "22023"])
async def test_whatever_a_trigger_raises_stays_with_its_own_row(
    rows: ForeignRows, code: str
) -> None:
    """The others of a group are retried, and no text of it is logged."""
    install(
        rows,
        "IF OLD.error_message IS NOT NULL THEN RAISE EXCEPTION USING MESSAGE = OLD.error_message,"
        f" ERRCODE = '{code}', CONSTRAINT = OLD.error_message; END IF; RETURN NEW;",
    )
    odd = rows.insert(error_message=SECRET)
    others = [rows.insert() for _ in range(7)]

    with capture_logs() as lines:
        answers = await asyncio.gather(
            *[rows.world.retry(one, rows.key) for one in (*others[:3], odd, *others[3:])]
        )

    statuses = [answer.status_code for answer in answers]
    assert statuses[3] in {500, 503}
    if code != "57014":  # as after a timeout, nobody knows what became of the group
        assert statuses[:3] + statuses[4:] == [200] * 7
    assert SECRET not in str(lines)


async def test_an_error_of_a_trigger_is_logged_without_its_text(rows: ForeignRows) -> None:
    """It may quote the row; the log names the function and the error's class."""
    install(rows, "RAISE EXCEPTION 'no retry of %', OLD.error_message; RETURN NEW;")
    execution = rows.insert(error_message=SECRET)

    with capture_logs() as lines:
        answer = await rows.world.retry(execution, rows.key)

    assert answer.status_code == 500
    [line] = requests(lines)
    assert line["reason"] == (
        "The storage refused a statement: RaiseException (SQLSTATE P0001), function theirs"
    )
    assert SECRET not in str(lines)


async def test_a_constraint_of_others_is_logged_without_the_row(rows: ForeignRows) -> None:
    """PostgreSQL's own details quote it."""
    rows.execute(
        "ALTER TABLE automation_executions"
        " ADD CONSTRAINT theirs CHECK (status <> 'pending' OR logs IS NULL)"
    )
    execution = rows.insert(error_message=SECRET, logs=f'["{SECRET}"]')

    with capture_logs() as lines:
        answer = await rows.world.retry(execution, rows.key)

    assert answer.status_code == 500
    assert requests(lines)[0]["reason"] == (
        "The storage refused a statement: CheckViolation (SQLSTATE 23514), constraint theirs, "
        "table automation_executions"
    )
    assert SECRET not in str(lines)


async def test_a_value_out_of_range_is_logged_without_it(rows: ForeignRows) -> None:
    """The execution and the column are named."""
    execution = rows.insert(actions_total=-1234, error_message=SECRET)

    with capture_logs() as lines:
        answer = await rows.world.retry(execution, rows.key)

    assert answer.status_code == 500
    assert requests(lines)[0]["reason"] == (
        f"Execution {execution} has a value out of range in actions_total; "
        "correct it in the table automation_executions"
    )
    assert "1234" not in str(lines)
    assert SECRET not in str(lines)


def requests(lines: Lines) -> Lines:
    return [line for line in lines if line["event"] == "request"]
