import re

import pytest

from automation_retry.application import MessageKind
from automation_retry.entrypoints.http.wire.request_context import request_id_of
from tests.entrypoints.http.conftest import Lines, Service
from tests.support.messages import opened

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.mark.parametrize(
    "valid",
    ["r", "req-1", "0af7651916cd43dd8448eb211c80319c", "a/b:c+d=e@f_g.h", "x" * 128],
)
def test_a_valid_request_id_is_kept(valid: str) -> None:
    """Whatever common tools send: UUIDs, trace ids, base64."""
    assert request_id_of({"headers": [(b"x-request-id", valid.encode())]}) == valid


@pytest.mark.parametrize(
    "odd",
    [b"", b"x" * 129, b"a b", b"a\n", b"a\x00", b"\xff", "é".encode(), b'"', b"{}", b"<a>", b"a,b"],
)
def test_any_other_is_not(odd: bytes) -> None:
    """Nothing that a log, a header or a shell could take for more than an id."""
    assert request_id_of({"headers": [(b"x-request-id", odd)]}) is None


def test_two_request_ids_are_none() -> None:
    """Neither is better than the other."""
    assert request_id_of({"headers": [(b"x-request-id", b"a"), (b"x-request-id", b"b")]}) is None


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/healthz"), ("GET", "/nowhere"), ("DELETE", "/healthz"), ("GET", "/readyz")],
)
async def test_every_answer_carries_the_callers_id(
    service: Service, method: str, path: str
) -> None:
    """Whatever the answer is."""
    answer = await service.client.request(method, path, headers={"x-request-id": "req-7"})

    assert answer.headers.get_list("x-request-id") == ["req-7"]


async def test_an_odd_id_is_replaced_by_a_new_one(service: Service) -> None:
    """Rather than repeated."""
    answer = await service.client.get("/healthz", headers={"x-request-id": "not valid"})

    assert UUID4.fullmatch(answer.headers["x-request-id"])


async def test_the_id_reaches_the_failed_attempt_the_job_and_the_event(service: Service) -> None:
    """So that a retry can be followed from the caller to the engine."""
    await service.client.post(
        f"{service.link}/retry", headers={"x-api-key": service.key, "x-request-id": "req-8"}
    )

    attempts = await service.client.get(
        f"{service.link}/attempts", headers={"x-api-key": service.key}
    )
    assert [one["request_id"] for one in attempts.json()["data"]] == ["req-8"]
    for kind in MessageKind:
        [waiting] = service.store.messages.waiting(kind)
        assert opened(waiting.message).retried.request_id == "req-8"


async def test_the_id_is_in_the_log(service: Service, lines: Lines) -> None:
    """On the line of the request."""
    await service.client.get("/nowhere", headers={"x-request-id": "req-9"})

    assert [line["request_id"] for line in lines] == ["req-9"]
