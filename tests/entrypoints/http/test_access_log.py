"""The access log, and errors that have no row in the table."""

from typing import NoReturn
from uuid import UUID

import pytest

from automation_retry.application.ports import Authenticator, ValidKey
from automation_retry.domain import Principal
from tests.entrypoints.http.conftest import EXECUTIONS, Lines, Service


class Broken(Authenticator):
    """Fails unexpectedly, with a tenant's data in the error and in its locals."""

    async def authenticate(self, api_key: str, tenant: UUID | None = None) -> ValidKey:
        row = f"row of {tenant} with {api_key}"
        try:
            refuse(row)
        except LookupError as error:
            raise RuntimeError("the statement failed") from error

    async def count_use(self, principal: Principal) -> None:
        raise NotImplementedError


def refuse(row: str) -> NoReturn:
    raise LookupError(f"violates a check\nDETAIL: {row}")


@pytest.mark.parametrize("authenticator", [Broken()])
async def test_an_unexpected_error_reveals_nothing(service: Service) -> None:
    """Except the id to ask about."""
    answer = await service.client.get(
        service.link, headers={"x-api-key": "hush", "x-request-id": "req-500"}
    )

    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "req-500"
    assert answer.json() == {
        "error": {"code": "INTERNAL_ERROR", "message": "An unexpected error occurred"}
    }


async def test_a_limit_that_is_not_enforced_is_logged_only(service: Service, lines: Lines) -> None:
    """One line for all that come after the burst, and each is let in."""
    for _ in range(125):
        answer = await service.client.get(service.link, headers={"x-api-key": service.key})
        assert answer.status_code == 200

    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert [line["enforced"] for line in lines if line["event"] == "rate_limit_exceeded"] == [False]


@pytest.mark.parametrize("authenticator", [Broken()])
async def test_an_unexpected_error_is_logged_with_frames_but_without_values(
    service: Service, lines: Lines
) -> None:
    """Neither locals nor what a database appends to its messages."""
    await service.client.get(service.link, headers={"x-api-key": "hush"})

    unexpected, request = lines
    assert (unexpected["event"], unexpected["log_level"]) == ("unexpected_error", "error")
    assert "RuntimeError: the statement failed" in unexpected["traceback"]
    assert "because of builtins.LookupError: violates a check" in unexpected["traceback"]
    assert "in authenticate" in unexpected["traceback"]
    assert "hush" not in str(lines)
    assert (request["status"], request["log_level"]) == (500, "warning")


async def test_a_request_is_one_line(service: Service, lines: Lines) -> None:
    """With the route's template, and never the key or what the tenant's execution holds."""
    answer = await service.client.post(
        f"{EXECUTIONS}/{str(service.failed.execution_id).upper()}/retry",
        headers={"x-api-key": service.key},
    )

    [line] = lines
    assert line.pop("duration_ms") >= 0
    assert line["client"] == "127.0.0.1"
    assert set(line) == {
        *("event", "log_level", "method", "route", "status", "request_id", "client"),
        *("tenant", "user_id", "api_key_id", "execution_id"),
    }
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["route"] == EXECUTIONS + "/{execution_id}/retry"
    assert (line["method"], line["status"], line["log_level"]) == ("POST", 200, "info")
    assert line["tenant"] == str(service.failed.tenant)
    assert line["execution_id"] == str(service.failed.execution_id)


async def test_an_unknown_path_is_not_logged(service: Service, lines: Lines) -> None:
    """It may hold anything, a key too."""
    await service.client.get("/ar_secret")

    assert [line["route"] for line in lines] == [None]
    assert "ar_secret" not in str(lines)


async def test_a_refused_key_is_logged_with_its_reason(service: Service, lines: Lines) -> None:
    """And not with the key."""
    await service.client.get(service.link, headers={"x-api-key": "guess"})

    assert [line["reason"] for line in lines] == ["there is no such key"]
    assert "guess" not in str(lines)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_is_logged_at_debug(service: Service, lines: Lines, path: str) -> None:
    """A probe every second would hide everything else."""
    await service.client.get(path)

    assert [(line["status"], line["log_level"]) for line in lines] == [(200, "debug")]
