"""Bulk retries over HTTP."""

from collections.abc import Sequence
from typing import Any

import httpx

from tests.support.world import EXECUTIONS, World, with_key

BULK_RETRY = f"{EXECUTIONS}/bulk-retry"


async def bulk_retry(
    world: World, key: str, ids: Sequence[object], reason: str | None = None, **headers: str
) -> httpx.Response:
    """Headers are spelled with underscores."""
    body: dict[str, Any] = {"ids": [str(one) for one in ids]}
    if reason is not None:
        body["reason"] = reason
    return await world.client.post(BULK_RETRY, json=body, headers=with_key(key, headers))


def outcomes(answer: httpx.Response) -> list[int | str]:
    """For each result, in order, the `retry_count` or the code of the refusal."""
    results = answer.json()["data"]["results"]
    return [one.get("code", one.get("retry_count")) for one in results]
