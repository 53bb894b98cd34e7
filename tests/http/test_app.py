from typing import NoReturn
from uuid import UUID

import pytest

from automation_retry.application.ports import Authenticator
from automation_retry.domain import Principal
from tests.http.conftest import EXECUTIONS, Lines, Service

HEADERS_OF_THE_LIMIT = {"x-ratelimit-limit", "x-ratelimit-remaining"}


class Broken(Authenticator):
    """Fails as nobody foresaw, with a tenant's data in the error and in its locals."""

    async def authenticate(self, api_key: str, tenant: UUID | None = None) -> Principal:
        row = f"row of {tenant} with {api_key}"
        try:
            refuse(row)
        except LookupError as error:
            raise RuntimeError("the statement failed") from error


def refuse(row: str) -> NoReturn:
    raise LookupError(f"violates a check\nDETAIL: {row}")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", f"{EXECUTIONS}/x/retry", "POST"),
        ("POST", f"{EXECUTIONS}/x", "GET, HEAD"),
        ("DELETE", f"{EXECUTIONS}/x/attempts", "GET, HEAD"),
        ("OPTIONS", "/healthz", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    service: Service, method: str, path: str, allow: str
) -> None:
    """In the envelope, like everything."""
    answer = await service.client.request(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.json() == {
        "error": {"code": "METHOD_NOT_ALLOWED", "message": "Method not allowed"}
    }


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/healthz/",
        "/healthz%0A",
        "/HEALTHZ",
        f"{EXECUTIONS}/",
        f"{EXECUTIONS}//retry",
        f"{EXECUTIONS}/{UUID(int=0)}/",
        f"{EXECUTIONS}/{UUID(int=0)}/retry%0A",
        f"{EXECUTIONS}/a%2Fb",
        f"{EXECUTIONS}/a%2Fb/retry",
    ],
)
async def test_an_unknown_path_is_not_found(service: Service, path: str) -> None:
    """Nor redirected: what differs by a slash or a line feed is another path."""
    answer = await service.client.get(path)

    assert answer.status_code == 404
    assert answer.json() == {"error": {"code": "NOT_FOUND", "message": "Not found"}}


@pytest.mark.parametrize(
    "odd",
    [
        "%7B{}%7D",
        "urn:uuid:{}",
        "{}%0A",
        "%20{}",
        "{}%00",
        "%FF",
        "%D9%A000000000-0000-4000-8000-000000000000",
        "00000000000040008000000000000000",
    ],
)
@pytest.mark.parametrize(
    ("method", "rest"), [("GET", ""), ("GET", "/attempts"), ("POST", "/retry")]
)
async def test_an_odd_id_is_no_id(service: Service, odd: str, method: str, rest: str) -> None:
    """Whatever route it is on."""
    answer = await service.client.request(
        method,
        f"{EXECUTIONS}/{odd.format(service.failed.execution_id)}{rest}",
        headers={"x-api-key": service.key},
    )

    assert answer.status_code == 400
    assert answer.json() == {
        "error": {"code": "VALIDATION_ERROR", "message": "Invalid automation ID format"}
    }


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-api-key", "schlüssel".encode())],
        [(b"x-api-key", b"\xff\xfe")],
        [(b"x-api-key", b"a"), (b"x-api-key", b"a")],
        [(b"x-api-key", b"KEY"), (b"x-api-key", b"KEY")],
        [(b"x-api-key", b"KEY"), (b"x-tenant-id", b"acme")],
        [(b"x-api-key", b"KEY"), (b"x-tenant-id", b"\xff")],
        [(b"x-api-key", b"KEY"), (b"x-tenant-id", str(UUID(int=5)).encode())],
    ],
)
async def test_an_odd_key_opens_nothing(
    service: Service, headers: list[tuple[bytes, bytes]]
) -> None:
    """Bytes that are no text, several keys, a tenant that is none or another."""
    sent = [(name, value.replace(b"KEY", service.key.encode())) for name, value in headers]

    answer = await service.client.get(service.link, headers=sent)

    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "Invalid API key"


@pytest.mark.parametrize("blank", [{}, {"x-api-key": ""}, {"x-api-key": "  "}])
async def test_a_blank_key_is_a_missing_one(service: Service, blank: dict[str, str]) -> None:
    """The caller is told what to send, and how."""
    answer = await service.client.get(service.link, headers=blank)

    assert answer.json() == {"error": {"code": "UNAUTHORIZED", "message": "API key required"}}
    assert answer.headers["www-authenticate"].startswith("ApiKey ")


async def test_a_blank_tenant_is_none(service: Service) -> None:
    """As in AlgaPSA."""
    answer = await service.client.get(
        service.link, headers={"x-api-key": service.key, "x-tenant-id": ""}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("key", [None, "wrong"])
async def test_a_stranger_is_told_401_whatever_the_body(service: Service, key: str | None) -> None:
    """Nobody reads what a stranger sends."""
    answer = await service.client.post(
        f"{service.link}/retry",
        content=bytes(2_000_000),
        headers={"x-api-key": key} if key else {},
    )

    assert answer.status_code == 401


async def test_a_body_beyond_the_limit_retries_nothing(service: Service) -> None:
    """413 means that nothing was done."""
    answer = await service.client.post(
        f"{service.link}/retry", content=bytes(2_000_000), headers={"x-api-key": service.key}
    )

    assert answer.status_code == 413
    assert service.store.execution(service.failed.tenant, service.failed.execution_id).retryable


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{EXECUTIONS}/no-id"),
        ("GET", f"{EXECUTIONS}/no-id/attempts"),
        ("GET", f"{EXECUTIONS}/{UUID(int=0)}/attempts?limit=0"),
        ("POST", f"{EXECUTIONS}/no-id/retry"),
    ],
)
async def test_lacking_permission_is_told_first(service: Service, method: str, path: str) -> None:
    """Before anything that is wrong with the id or the query."""
    answer = await service.client.request(
        method, path, headers={"x-api-key": service.outsiders_key}
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize("path", [EXECUTIONS + "/no-id", EXECUTIONS + "/" + str(UUID(int=0))])
async def test_an_error_after_authentication_tells_of_the_limit(
    service: Service, path: str
) -> None:
    """400 and 404 alike."""
    answer = await service.client.get(path, headers={"x-api-key": service.key})

    assert answer.headers["x-ratelimit-limit"] == "120"
    assert answer.headers["x-ratelimit-remaining"] == "119"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/nowhere", f"{EXECUTIONS}/no-id"])
async def test_nobody_else_is_told_of_the_limit(service: Service, path: str) -> None:
    """Health is outside of it, and a stranger has no bucket."""
    answer = await service.client.get(path)

    assert not HEADERS_OF_THE_LIMIT & set(answer.headers)


async def test_a_limit_that_is_not_enforced_is_logged_only(service: Service, lines: Lines) -> None:
    """One line for all that come after the burst, and each is let in."""
    for _ in range(125):
        answer = await service.client.get(service.link, headers={"x-api-key": service.key})
        assert answer.status_code == 200

    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert [line["enforced"] for line in lines if line["event"] == "rate_limit_exceeded"] == [False]


@pytest.mark.parametrize("enforce", [True])
async def test_a_limit_that_is_enforced_comes_before_permission(service: Service) -> None:
    """429 rather than 403, with all that the caller needs to come back in time."""
    for _ in range(120):
        await service.client.get(service.link, headers={"x-api-key": service.readers_key})

    answer = await service.client.post(
        f"{service.link}/retry", headers={"x-api-key": service.readers_key}
    )

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (429, "RATE_LIMITED")
    assert error["message"] == "Too many requests"
    assert 0 < error["details"]["retry_after_ms"] <= 1000
    assert error["details"]["remaining"] == 0
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["x-ratelimit-reset"].endswith("Z")
    assert answer.headers["x-ratelimit-remaining"] == "0"


@pytest.mark.parametrize("authenticator", [Broken()])
async def test_an_unexpected_error_tells_nothing(service: Service) -> None:
    """Except the id to ask about."""
    answer = await service.client.get(
        service.link, headers={"x-api-key": "hush", "x-request-id": "req-500"}
    )

    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "req-500"
    assert answer.json() == {
        "error": {"code": "INTERNAL_ERROR", "message": "An unexpected error occurred"}
    }


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


async def test_a_request_is_one_line_that_says_who_and_what(service: Service, lines: Lines) -> None:
    """With the route's template, and never the key or what the tenant's execution holds."""
    answer = await service.client.post(
        f"{EXECUTIONS}/{str(service.failed.execution_id).upper()}/retry",
        headers={"x-api-key": service.key},
    )

    [line] = lines
    assert line.pop("duration_ms") >= 0
    assert set(line) == {
        *("event", "log_level", "method", "route", "status", "request_id"),
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


async def test_no_cache_may_keep_an_answer(service: Service) -> None:
    """A cache that does not know `x-api-key` would show it to another tenant."""
    answer = await service.client.get(service.link, headers={"x-api-key": service.key})

    assert answer.headers["cache-control"] == "no-store"


async def test_a_head_is_a_get_without_a_body(service: Service) -> None:
    """For every route that can be read."""
    answer = await service.client.head(service.link, headers={"x-api-key": service.key})

    assert answer.status_code == 200
