"""An answer lost on the wire, after everything was committed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.factories import a_failed_execution
from tests.support.lossy_proxy import lossy_proxy
from tests.support.world import EXECUTIONS, World


@asynccontextmanager
async def losing_the_answer(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose request arrives and whose answer is lost."""
    port = urlsplit(str(world.client.base_url)).port
    assert port
    async with lossy_proxy(port) as proxy:
        proxy.lose_reply()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{proxy.port}") as client:
            yield client
        assert proxy.lost.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("idempotency_key", ["k", None])
async def test_a_lost_answer_can_be_found_out(world: World, idempotency_key: str | None) -> None:
    """With a key: the same 200. Without: 400, whose details show that the retry happened."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    headers = {"x-api-key": await world.key()}
    if idempotency_key:
        headers["idempotency-key"] = idempotency_key
    path = f"{EXECUTIONS}/{failed.execution_id}/retry"

    async with losing_the_answer(world) as client:
        with pytest.raises(httpx.TransportError):
            await client.post(path, headers=headers)
    again = await world.client.post(path, headers=headers)

    if idempotency_key:
        assert again.status_code == 200
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json()["data"]["retry_count"] == 1
    else:
        assert again.status_code == 400
        assert again.json()["error"]["details"] == {"status": "pending", "retry_count": 1}
