"""A request is answered in time, or told that nobody knows what became of it."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from attrs import define, evolve, field

from automation_retry.adapters.memory import MemoryStore, memory_storage
from automation_retry.application.ports import Authenticator, ValidKey
from automation_retry.domain import Principal
from automation_retry.entrypoints.budget import RequestTime
from automation_retry.entrypoints.clock import new_id, utc_now
from automation_retry.entrypoints.http import create_app
from tests.entrypoints.http.conftest import EXECUTIONS, Lines, new_api

ID = UUID("6f8b1f5c-9f0e-4d3a-8f53-0a8c5d7e2b11")


@define
class Hung(Authenticator):
    """Never answers; says when it was asked, and when nobody waits any more."""

    asked: asyncio.Event = field(factory=asyncio.Event)
    left: asyncio.Event = field(factory=asyncio.Event)

    async def authenticate(self, api_key: str, tenant: UUID | None = None) -> ValidKey:  # noqa: ARG002
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()
        raise AssertionError("it waits for ever")

    async def count_use(self, principal: Principal) -> None:
        raise NotImplementedError


def transport(authenticator: Authenticator, seconds: float) -> httpx.ASGITransport:
    """The application, whose requests have so many seconds."""
    storage = memory_storage(utc_now, new_id, store=MemoryStore())
    api = evolve(new_api(storage), authenticator=authenticator, request_time=RequestTime(seconds))
    return httpx.ASGITransport(create_app(api))


@pytest.fixture
def hung() -> Hung:
    return Hung()


async def test_a_request_is_cut_off_at_the_end_of_its_time(hung: Hung, lines: Lines) -> None:
    """503 in the envelope, with the id to ask about, and a reason in the log."""
    async with httpx.AsyncClient(transport=transport(hung, 0.05), base_url="http://a") as client:
        answer = await client.get(
            f"{EXECUTIONS}/{ID}", headers={"x-api-key": "key", "x-request-id": "req-1"}
        )

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert (answer.headers["retry-after"], answer.headers["x-request-id"]) == ("1", "req-1")
    assert hung.left.is_set()
    assert lines[-1]["reason"] == "no answer within the request's time"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_caller_that_is_gone_is_waited_for_no_longer(
    hung: Hung, lines: Lines, method: str
) -> None:
    """What it asked for is cancelled long before its time is over; its line in the log says so."""
    left = asyncio.Event()
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(_: object) -> None:
        """Nobody listens."""

    app: Any = transport(hung, 3600).app
    path = f"{EXECUTIONS}/{ID}" + ("/retry" if method == "POST" else "")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"x-api-key", b"key")],
    }
    request: asyncio.Task[None] = asyncio.create_task(app(scope, receive, send))
    await hung.asked.wait()
    left.set()
    async with asyncio.timeout(30):
        await request

    assert hung.left.is_set()
    assert lines[-1]["status"] == 499


async def test_a_request_that_is_cancelled_is_answered(hung: Hung, lines: Lines) -> None:
    """As a server does at the end of its grace: the outcome is unknown, so 503 and not 500."""
    client = httpx.AsyncClient(transport=transport(hung, 3600), base_url="http://a")
    async with client:
        request = asyncio.create_task(
            client.get(f"{EXECUTIONS}/{ID}", headers={"x-api-key": "key", "x-request-id": "req-2"})
        )
        await hung.asked.wait()
        request.cancel()
        answer = await request

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert answer.headers["x-request-id"] == "req-2"
    assert lines[-1]["reason"] == "the service stopped before the answer"
