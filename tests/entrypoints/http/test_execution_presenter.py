from datetime import timedelta, timezone
from typing import Any

import orjson
import pytest
from attrs import fields

from automation_retry.application import ExecutionSeen, Page, PageRequest
from automation_retry.domain import Execution, FailedAttempt, LogEntry, LogLevel
from automation_retry.entrypoints.http.executions.fields import EXECUTION_FIELDS
from automation_retry.entrypoints.http.executions.presenter import ExecutionPresenter
from automation_retry.entrypoints.http.wire.links import Links
from tests.support.factories import NOON, a_failed_execution, a_principal, an_execution


@pytest.fixture
def presenter() -> ExecutionPresenter:
    return ExecutionPresenter(Links(rule_links=True))


@pytest.fixture
def attempt() -> FailedAttempt:
    return a_failed_execution().retry(at=NOON, by=a_principal()).failed_attempt


def a_page(attempt: FailedAttempt, page: int, limit: int, total: int) -> Page[FailedAttempt]:
    return Page(items=[attempt], request=PageRequest(page=page, limit=limit), total=total)


def test_no_field_of_an_execution_is_forgotten() -> None:
    """The contract's order names each of them once."""
    about = {"truncated", "unreadable", "revision"}
    assert sorted(EXECUTION_FIELDS) == sorted(
        field.name for field in fields(Execution) if field.name not in about
    )


def test_an_execution_has_the_contracts_fields_in_its_order(presenter: ExecutionPresenter) -> None:
    """Then the retry count, then the links."""
    assert tuple(presenter.retried(an_execution())["data"]) == (*EXECUTION_FIELDS, "_links")


def test_a_value_that_is_missing_is_null(presenter: ExecutionPresenter) -> None:
    """The contract calls these fields nullable, not optional."""
    data = presenter.retried(an_execution())["data"]

    nullable = ("completed_at", "duration_ms", "error_message", "error_stack")
    assert [data[name] for name in (*nullable, "failed_action_index")] == [None] * 5


def as_json(value: object) -> Any:
    return orjson.loads(orjson.dumps(value))


def test_a_log_entry_leaves_out_what_it_does_not_have(presenter: ExecutionPresenter) -> None:
    """Its optional fields are not nullable."""
    bare = an_execution(logs=(LogEntry(level=LogLevel.WARN, message="late"),))

    assert as_json(presenter.retried(bare)["data"]["logs"]) == [
        {"level": "warn", "message": "late"}
    ]


def test_a_full_log_entry_is_given_in_full(presenter: ExecutionPresenter) -> None:
    """An index of 0 and empty metadata are values too."""
    entry = LogEntry(
        level=LogLevel.INFO, message="sent", timestamp=NOON, action_index=0, metadata={}
    )

    assert as_json(presenter.retried(an_execution(logs=(entry,)))["data"]["logs"]) == [
        {
            "level": "info",
            "message": "sent",
            "timestamp": "2026-11-23T12:00:00.123456Z",
            "action_index": 0,
            "metadata": {},
        }
    ]


def test_times_are_in_utc(presenter: ExecutionPresenter) -> None:
    """Whatever zone the engine wrote them in."""
    east = NOON.replace(microsecond=0).astimezone(timezone(timedelta(hours=5, minutes=30)))

    started = presenter.retried(an_execution(started_at=east))["data"]["started_at"]

    assert started == "2026-11-23T12:00:00.000000Z"


@pytest.mark.parametrize(("ms", "written"), [(1500.0, "1500"), (2750.5, "2750.5"), (0, "0")])
def test_a_whole_duration_is_a_whole_number(
    presenter: ExecutionPresenter, ms: float, written: str
) -> None:
    """Clients that know integers only can read it."""
    assert repr(presenter.retried(an_execution(duration_ms=ms))["data"]["duration_ms"]) == written


def test_a_retry_links_to_the_execution_and_its_rule(presenter: ExecutionPresenter) -> None:
    """Strings, as AlgaPSA sends them."""
    execution = an_execution()

    assert presenter.retried(execution)["data"]["_links"] == {
        "execution": f"/api/v1/automation/executions/{execution.execution_id}",
        "rule": f"/api/v1/automation/rules/{execution.automation_rule_id}",
    }


@pytest.mark.parametrize("may_retry", [True, False])
def test_a_read_links_to_the_retry_when_it_would_be_allowed(
    presenter: ExecutionPresenter, may_retry: bool
) -> None:
    """Exactly then."""
    execution = a_failed_execution()
    link = f"/api/v1/automation/executions/{execution.execution_id}"

    links = presenter.seen(ExecutionSeen(execution=execution, may_retry=may_retry))["data"][
        "_links"
    ]

    assert links == {
        "self": link,
        "collection": "/api/v1/automation/executions",
        "rule": f"/api/v1/automation/rules/{execution.automation_rule_id}",
        **({"retry": f"{link}/retry"} if may_retry else {}),
    }


def test_rule_links_can_be_left_out() -> None:
    """Where no AlgaPSA serves the rules."""
    presenter = ExecutionPresenter(Links(rule_links=False))

    assert list(presenter.retried(an_execution())["data"]["_links"]) == ["execution"]


def test_an_attempt_has_all_that_was_archived_in_order(
    presenter: ExecutionPresenter, attempt: FailedAttempt
) -> None:
    """The execution is in the path already."""
    assert list(presenter.attempts(a_page(attempt, 1, 25, 1))["data"][0]) == [
        "attempt",
        "retried_at",
        "retried_by",
        "api_key_id",
        "request_id",
        "reason",
        "started_at",
        "completed_at",
        "duration_ms",
        "actions_successful",
        "actions_failed",
        "error_message",
        "error_stack",
        "failed_action_index",
    ]


@pytest.mark.parametrize(
    ("page", "limit", "total", "pages", "has_next", "has_prev"),
    [
        (1, 25, 0, 0, False, False),
        (1, 25, 25, 1, False, False),
        (1, 25, 26, 2, True, False),
        (2, 25, 26, 2, False, True),
        (9, 25, 26, 2, False, True),
    ],
)
def test_a_page_says_where_it_stands(
    *,
    presenter: ExecutionPresenter,
    attempt: FailedAttempt,
    page: int,
    limit: int,
    total: int,
    pages: int,
    has_next: bool,
    has_prev: bool,
) -> None:
    """In AlgaPSA's words."""
    assert presenter.attempts(a_page(attempt, page, limit, total))["pagination"] == {
        "page": page,
        "limit": limit,
        "total": total,
        "totalPages": pages,
        "hasNext": has_next,
        "hasPrev": has_prev,
    }
