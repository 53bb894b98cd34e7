"""`GET /executions` as OPERATORS.md has it, over HTTP, the same on every storage."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from attrs import evolve

from automation_retry.domain import (
    AUTOMATION_READ,
    Execution,
    ExecutionStatus,
    failure_group_id,
)
from tests.support.factories import NOON, a_failed_execution, an_execution
from tests.support.world import EXECUTIONS, World

FIELDS = [
    *("execution_id", "automation_rule_id", "trigger_data", "status", "started_at"),
    *("completed_at", "duration_ms", "actions_total", "actions_successful", "actions_failed"),
    *("error_message", "error_stack", "failed_action_index", "execution_context", "logs"),
    *("tenant", "retry_count"),
]


async def listed(world: World, key: str, query: str = "") -> Any:
    answer = await world.get(f"{EXECUTIONS}?{query}" if query else EXECUTIONS, key)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer: Any) -> list[UUID]:
    return [UUID(one["execution_id"]) for one in answer["data"]]


async def some_failed(world: World, number: int, **changes: Any) -> list[Execution]:
    """The newest first."""
    executions = [
        a_failed_execution(
            **{"tenant": world.tenant, "started_at": NOON - timedelta(minutes=age), **changes}
        )
        for age in range(number)
    ]
    await world.storage.executions.add(executions)
    return executions


async def test_all_executions_are_listed_newest_first(world: World) -> None:
    """AlgaPSA's envelope, and what it lacks: whether the total is exact, and a cursor."""
    failed = await some_failed(world, 2)
    await world.add(an_execution())  # of another tenant

    answer = await listed(world, await world.key())

    assert ids(answer) == [one.execution_id for one in failed]
    assert answer["pagination"] == {
        "page": 1,
        "limit": 25,
        "total": 2,
        "totalPages": 1,
        "hasNext": False,
        "hasPrev": False,
        "totalIsExact": True,
        "nextCursor": None,
    }
    assert answer["meta"]["resource"] == "automation_execution"


async def test_one_has_every_field_of_a_single_read(world: World) -> None:
    """In the same order; the links lack only the list itself."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key()

    [one] = (await listed(world, key))["data"]
    single = (await world.get(f"{EXECUTIONS}/{failed.execution_id}", key)).json()["data"]

    assert list(one) == [*FIELDS, "_links"]
    assert single.pop("_links") == {**one.pop("_links"), "collection": EXECUTIONS}
    assert one == single


async def test_an_empty_list_is_an_answer(world: World) -> None:
    """Of no pages."""
    answer = await listed(world, await world.key())

    assert answer["data"] == []
    assert answer["pagination"]["totalPages"] == 0


async def test_the_retry_is_linked_exactly_where_it_would_work(world: World) -> None:
    """Failed ones, for whoever may retry."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    await world.add(an_execution(tenant=world.tenant, started_at=NOON - timedelta(days=1)))
    operator = await world.key()
    reader = await world.key(frozenset({AUTOMATION_READ}), username="reader")

    retries = [
        [one["_links"].get("retry") for one in (await listed(world, key))["data"]]
        for key in (operator, reader)
    ]

    assert retries == [[f"{EXECUTIONS}/{failed.execution_id}/retry", None], [None, None]]


RULE = UUID("2d83e6e4-0b5f-4f7a-9a54-1c7f0d9e6b32")
GROUP = failure_group_id(RULE, "SMTP error 4711 of 3")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=failed", "adef"),
        ("status=failed,completed", "acdef"),
        ("status=pending,running,cancelled,timeout,skipped", "b"),
        (f"automation_rule_id={RULE}", "ab"),
        (f"automation_rule_id={str(RULE).upper()}", "ab"),
        (f"failure_group_id={GROUP}", "a"),
        (f"failure_group_id={GROUP}&status=failed", "a"),
        ("failure_group_id=fg_0123456789abcdef", ""),
        ("failed_from=2026-11-20T12:00:00Z", "ade"),
        ("failed_from=2026-11-20T12:00:00.000001Z", "ad"),
        ("failed_to=2026-11-20T12:00:00Z", "f"),
        ("failed_to=2026-11-20T12:00:01Z", "ef"),
        ("failed_from=2026-11-20T14:00:00%2B02:00&failed_to=2026-11-20T12:00:00.000001Z", "e"),
        ("failed_from=2026-11-20T12:00:00Z&failed_to=2026-11-20T12:00:00Z", ""),
        ("started_from=2026-11-23T12:00:00.123456Z", "a"),
        ("started_to=2026-11-23T12:00:00.123456Z", "bcdef"),
        ("duration_min_ms=2750.5", "adef"),
        ("duration_min_ms=2750.6", ""),
        ("duration_max_ms=10", "c"),
        ("duration_min_ms=10&duration_max_ms=10", "c"),
        ("has_errors=true", "adef"),
        ("has_errors=false", "bc"),
        ("search=smtp%20ERROR", "a"),
        ("search=%25", "d"),
        ("search=_", ""),
        ("search=%C3%9C", "d"),
        ("search=%C3%BC", ""),
        ("search=SMTP&status=completed", ""),
    ],
)
async def test_filters_select(world: World, query: str, found: str) -> None:
    """Every condition must hold; each of them alone decides here."""
    rows: dict[str, dict[str, Any]] = {
        "a": {"started_at": NOON, "error_message": "SMTP error 17 of 99", "rule": RULE},
        "b": {"status": ExecutionStatus.PENDING, "rule": RULE},
        "c": {"status": ExecutionStatus.COMPLETED, "duration_ms": 10.0},
        "d": {"error_message": "100% ÜBEL"},
        "e": {"completed_at": NOON.replace(day=20, microsecond=0)},
        "f": {"completed_at": NOON.replace(day=20, hour=11)},
    }
    named: dict[UUID, str] = {}
    for age, (name, row) in enumerate(rows.items()):
        values: dict[str, Any] = {"started_at": NOON - timedelta(seconds=age), **row}
        rule = values.pop("rule", uuid4())
        make = an_execution if "status" in values else a_failed_execution
        one = await world.add(make(tenant=world.tenant, automation_rule_id=rule, **values))
        named[one.execution_id] = name

    answer = await listed(world, await world.key(), query)

    assert "".join(named[one] for one in ids(answer)) == found
    assert answer["pagination"]["total"] == len(found)


async def test_the_answer_says_how_the_filters_were_understood(world: World) -> None:
    """The implied status included, times in UTC, as the parameters would be."""
    query = (
        f"failure_group_id={GROUP}&failed_from=2026-11-20T01:00:00%2B02:00&search=smtp"
        f"&automation_rule_id={str(RULE).upper()}&sort=created_at&order=asc"
        "&duration_min_ms=0&duration_max_ms=2.5&has_errors=false"
    )

    answer = await listed(world, await world.key(), query)

    assert answer["meta"]["filters"] == {
        "status": "failed",
        "automation_rule_id": str(RULE),
        "failure_group_id": GROUP,
        "failed_from": "2026-11-19T23:00:00.000000Z",
        "duration_min_ms": 0,
        "duration_max_ms": 2.5,
        "has_errors": False,
        "search": "smtp",
        "sort": "started_at",
        "order": "asc",
    }


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("", "abc"),
        ("sort=created_at&order=asc", "cba"),
        ("sort=started_at", "abc"),
        ("sort=completed_at", "bac"),
        ("sort=completed_at&order=asc", "abc"),
        ("sort=failed_at", "bac"),
        ("sort=failed_at&order=asc", "cab"),
        ("sort=duration_ms", "cab"),
        ("sort=duration_ms&order=asc", "acb"),
    ],
)
async def test_lists_are_sorted(world: World, query: str, order: str) -> None:
    """Those without a value come last in either direction."""
    day = timedelta(days=1)
    rows: dict[str, dict[str, Any]] = {
        "a": {"started_at": NOON, "completed_at": NOON, "duration_ms": 1.0},
        "b": {"started_at": NOON - day, "completed_at": NOON + day, "duration_ms": None},
        "c": {"started_at": NOON - 2 * day, "completed_at": None, "duration_ms": 2.0},
    }
    named = {
        (await world.add(a_failed_execution(tenant=world.tenant, **row))).execution_id: name
        for name, row in rows.items()
    }

    answer = await listed(world, await world.key(), query)

    assert "".join(named[one] for one in ids(answer)) == order


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ("status", {"status"}),
        ("error_message,retry_count", {"error_message", "retry_count"}),
        ("execution_id", set()),
        (",".join(FIELDS), {*FIELDS}),
    ],
)
async def test_fields_can_be_chosen(world: World, fields: str, shown: set[str]) -> None:
    """Beside the id and the links, which are always there."""
    await some_failed(world, 1)

    [one] = (await listed(world, await world.key(), f"fields={fields}"))["data"]

    assert one.keys() == {"execution_id", "_links"} | shown
    assert list(one) == [name for name in [*FIELDS, "_links"] if name in one]


async def test_a_thousand_are_listed_at_once_without_payloads(world: World) -> None:
    """And a hundred with them."""
    await some_failed(world, 101)
    key = await world.key()

    narrow = await listed(world, key, "limit=1000&fields=status,error_message")
    wide = await listed(world, key, "limit=100")

    assert (len(narrow["data"]), narrow["pagination"]["limit"]) == (101, 1000)
    assert (len(wide["data"]), wide["pagination"]["hasNext"]) == (100, True)


async def test_algapsas_pages_walk_the_list(world: World) -> None:
    """With `page` and `limit` as AlgaPSA's clients send them; a cursor is given as well."""
    failed = await some_failed(world, 5)
    key = await world.key()

    pages = [await listed(world, key, f"page={page}&limit=2") for page in (1, 2, 3, 4)]

    assert [ids(page) for page in pages[:3]] == [
        [one.execution_id for one in failed[start : start + 2]] for start in (0, 2, 4)
    ]
    about = [page["pagination"] for page in pages]
    assert [one["hasNext"] for one in about] == [True, True, False, False]
    assert [one["hasPrev"] for one in about] == [False, True, True, True]
    assert [one["nextCursor"] is None for one in about] == [False, False, True, True]
    assert {(one["total"], one["totalPages"]) for one in about} == {(5, 3)}


async def test_a_foreign_tenants_rows_are_not_counted(world: World) -> None:
    """Not even where rule and group are the same."""
    [mine] = await some_failed(world, 1, automation_rule_id=RULE)
    other = evolve(mine, tenant=uuid4())
    await world.add(other)

    answer = await listed(world, await world.key(), f"automation_rule_id={RULE}")

    assert [one["tenant"] for one in answer["data"]] == [str(world.tenant)]
    assert answer["pagination"]["total"] == 1
