"""Requests with an idempotency key that write in several steps: reserve, work, keep the answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from attrs import define

from automation_retry.application.errors import StorageUnavailable
from automation_retry.application.idempotency import LIFETIME
from automation_retry.application.ports.kept_answers import KeptAnswers, Reservation
from automation_retry.domain import Json

_GIVE_UP_WITHIN_S = 0.5


@define
class Reserved:
    """A request that is worked on, or was answered before."""

    reservation: Reservation
    answer: Json | None = None
    """The answer that is repeated; None where the request is still to be worked on."""
    may_have_written: bool = False
    """Set before the first write."""


@asynccontextmanager
async def reserved(
    answers: KeptAnswers, wanted: Reservation, request: str, at: datetime
) -> AsyncIterator[Reserved]:
    """Reserves the key; whoever enters works on the request and then keeps its answer.

    After an error nothing is left of the reservation, unless something may have been written: then
    the same request takes it over, and finds by its id what was written.

    Raises:
        IdempotencyKeyReused: the key belongs to another request.
        RequestInProgress: somebody is working on the same request.
        StorageUnavailable: the storage did not answer.
    """
    found = await answers.reserve(wanted, request, at=at, since=at - LIFETIME)
    if isinstance(found, Json):
        yield Reserved(wanted, found)
        return
    held = Reserved(found, may_have_written=found.taken_over)
    try:
        yield held
    except BaseException:
        # A cancelled request has little time left; without this the key is free in a minute.
        end = answers.give_up if held.may_have_written else answers.release
        with suppress(StorageUnavailable, TimeoutError):
            async with asyncio.timeout(_GIVE_UP_WITHIN_S):
                await end(found)
        raise
