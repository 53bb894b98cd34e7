from uuid import UUID

import pytest
from attrs import evolve

from tests.entrypoints.http.conftest import EXECUTIONS, Service

HEADERS_OF_THE_LIMIT = {"x-ratelimit-limit", "x-ratelimit-remaining"}


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", f"{EXECUTIONS}/x/retry", "POST"),
        ("POST", f"{EXECUTIONS}/x", "GET, HEAD"),
        ("DELETE", f"{EXECUTIONS}/x/attempts", "GET, HEAD"),
        ("OPTIONS", "/healthz", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_answered_with_the_right_ones(
    service: Service, method: str, path: str, allow: str
) -> None:
    """In the error envelope, with `Allow`."""
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
        f"{EXECUTIONS}/{UUID(int=0)}%2fattempts",
        f"{EXECUTIONS}%2F{UUID(int=0)}",
    ],
)
async def test_an_unknown_path_is_not_found(service: Service, path: str) -> None:
    """Nor redirected: a slash or a line feed more makes another path."""
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
async def test_an_odd_id_is_refused(service: Service, odd: str, method: str, rest: str) -> None:
    """On every route."""
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
async def test_an_odd_key_is_refused(service: Service, headers: list[tuple[bytes, bytes]]) -> None:
    """Not ASCII, several keys, or a tenant that is invalid or not the key's."""
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


async def test_a_path_of_its_own_is_no_id(service: Service) -> None:
    """405 for another method, not the 400 of a wrong id."""
    answer = await service.client.get(
        "/api/v1/automation/executions/bulk-retry", headers={"x-api-key": service.key}
    )

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("key", [None, "wrong"])
async def test_without_a_valid_key_the_body_does_not_matter(
    service: Service, key: str | None
) -> None:
    """It is not read."""
    answer = await service.client.post(
        f"{service.link}/retry",
        content=bytes(2_000_000),
        headers={"x-api-key": key} if key else {},
    )

    assert answer.status_code == 401


@pytest.mark.parametrize("keys", [[""], ["", ""], ["a", ""]])
async def test_a_blank_idempotency_key_is_none(service: Service, keys: list[str]) -> None:
    """Nor part of one: callers who forget it would share the key that joins them."""
    headers = [("x-api-key", service.key), *(("idempotency-key", key) for key in keys)]

    answer = await service.client.post(f"{service.link}/retry", headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


async def test_a_body_beyond_the_limit_comes_after_permission(service: Service) -> None:
    """403 before 413, as the contract orders them."""
    answer = await service.client.post(
        f"{service.link}/retry",
        content=bytes(2_000_000),
        headers={"x-api-key": service.readers_key},
    )

    assert answer.status_code == 403


async def test_a_body_beyond_the_limit_comes_before_a_wrong_id(service: Service) -> None:
    """413 before 400."""
    answer = await service.client.post(
        f"{EXECUTIONS}/no-id/retry", content=bytes(2_000_000), headers={"x-api-key": service.key}
    )

    assert answer.status_code == 413


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
async def test_a_missing_permission_comes_first(service: Service, method: str, path: str) -> None:
    """Before anything that is wrong with the id or the query."""
    answer = await service.client.request(
        method, path, headers={"x-api-key": service.outsiders_key}
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize("path", [EXECUTIONS + "/no-id", EXECUTIONS + "/" + str(UUID(int=0))])
async def test_an_error_after_authentication_carries_the_limit(service: Service, path: str) -> None:
    """400 and 404 alike."""
    answer = await service.client.get(path, headers={"x-api-key": service.key})

    assert answer.headers["x-ratelimit-limit"] == "120"
    assert answer.headers["x-ratelimit-remaining"] == "119"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/nowhere", f"{EXECUTIONS}/no-id"])
async def test_without_authentication_no_limit_is_told(service: Service, path: str) -> None:
    """Public routes are not limited, and an unauthenticated caller has no bucket."""
    answer = await service.client.get(path)

    assert not HEADERS_OF_THE_LIMIT & set(answer.headers)


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


async def test_no_cache_may_keep_an_answer(service: Service) -> None:
    """A cache that does not know `x-api-key` would show it to another tenant."""
    answer = await service.client.get(service.link, headers={"x-api-key": service.key})

    assert answer.headers["cache-control"] == "no-store"


async def test_a_head_is_a_get_without_a_body(service: Service) -> None:
    """For every route that can be read."""
    answer = await service.client.head(service.link, headers={"x-api-key": service.key})

    assert answer.status_code == 200


async def test_an_execution_that_cannot_be_answered_is_not_retried(service: Service) -> None:
    """The answer is built before the commit: 500 means that nothing was written."""
    unanswerable = evolve(service.failed, actions_total=2**70)
    service.store.overwrite(unanswerable)

    answer = await service.client.post(f"{service.link}/retry", headers={"x-api-key": service.key})

    ids = unanswerable.tenant, unanswerable.execution_id
    assert answer.status_code == 500
    assert service.store.execution(*ids) == unanswerable
    assert service.store.failed_attempts(*ids) == []
