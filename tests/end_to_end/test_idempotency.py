"""Idempotency-Key: a repeated request gets the first answer, and nothing happens twice."""

import asyncio
from uuid import UUID, uuid4

import psycopg
import pytest

from automation_retry.application import MessageKind, PageRequest
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, ExecutionStatus
from tests.support.factories import a_failed_execution, an_execution
from tests.support.world import World


async def attempts(world: World, execution_id: UUID) -> int:
    page = await world.storage.executions.failed_attempts(
        world.tenant, execution_id, PageRequest(limit=1)
    )
    return page.total


async def test_the_same_key_gets_the_same_answer(world: World) -> None:
    """Status and body of the first retry again, marked as a replay, without a second effect."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key()

    first = await world.retry(failed.execution_id, key, idempotency_key="k 1")
    again = await world.retry(failed.execution_id, key, idempotency_key="k 1")

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert await attempts(world, failed.execution_id) == 1


async def test_the_answer_stays_when_the_execution_goes_on(world: World) -> None:
    """The replay is the answer of then, whatever the engine has done since."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key()
    first = await world.retry(failed.execution_id, key, idempotency_key="k")
    await _complete(world, failed.execution_id)

    again = await world.retry(failed.execution_id, key, idempotency_key="k")

    assert again.content == first.content


async def _complete(world: World, execution_id: object) -> None:
    if world.in_memory:
        store = world.container.memory_store()
        store.overwrite(
            an_execution(
                tenant=world.tenant,
                execution_id=execution_id,
                status=ExecutionStatus.COMPLETED,
                retry_count=1,
            )
        )
        return
    async with world.container.database().connection() as connection:
        await connection.execute(
            "UPDATE automation_executions SET status = 'completed' WHERE execution_id = %s",
            (execution_id,),
        )


async def test_a_key_is_for_one_request(world: World) -> None:
    """422 for the retry of another execution, which stays failed."""
    failed, other = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(2)]
    key = await world.key()
    await world.retry(failed.execution_id, key, idempotency_key="k")

    answer = await world.retry(other.execution_id, key, idempotency_key="k")

    assert answer.status_code == 422
    assert answer.json() == {
        "error": {
            "code": "UNPROCESSABLE_ENTITY",
            "message": "Idempotency-Key was used for another request",
        }
    }
    assert await world.storage.executions.get(world.tenant, other.execution_id) == other


@pytest.mark.parametrize("malformed", ["", "k" * 256, "schlüssel", "a\tb"])
async def test_a_malformed_key_is_refused(world: World, malformed: str) -> None:
    """400 that says what a key is; nothing is retried."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))

    answer = await world.client.post(
        f"/api/v1/automation/executions/{failed.execution_id}/retry",
        headers=[
            (b"x-api-key", (await world.key()).encode()),
            (b"idempotency-key", malformed.encode()),
        ],
    )

    assert answer.status_code == 400
    assert answer.json() == {
        "error": {
            "code": "VALIDATION_ERROR",
            "message": "Idempotency-Key must be 1 to 255 printable ASCII characters",
        }
    }
    assert await attempts(world, failed.execution_id) == 0


async def test_the_longest_key_is_fine(world: World) -> None:
    """255 characters."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))

    answer = await world.retry(failed.execution_id, await world.key(), idempotency_key="~" * 255)

    assert answer.status_code == 200


async def test_a_refused_retry_leaves_its_key_free(world: World) -> None:
    """Only a retry that took effect is remembered."""
    pending = await world.add(an_execution(tenant=world.tenant))
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key()

    refused = await world.retry(pending.execution_id, key, idempotency_key="k")
    missing = await world.retry(uuid4(), key, idempotency_key="k")
    answer = await world.retry(failed.execution_id, key, idempotency_key="k")

    assert (refused.status_code, missing.status_code, answer.status_code) == (400, 404, 200)


async def test_another_api_key_has_keys_of_its_own(world: World) -> None:
    """The same text of another caller is another key: not failed any more, so 400."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    mine, theirs = await world.key(), await world.key(username="other")
    await world.retry(failed.execution_id, mine, idempotency_key="k")

    answer = await world.retry(failed.execution_id, theirs, idempotency_key="k")

    assert answer.status_code == 400
    assert answer.json()["error"]["details"] == {"status": "pending", "retry_count": 1}


async def test_a_replay_still_needs_permission(world: World) -> None:
    """Without `automation:execute` the answer is 403, not the kept one."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    reader = await world.key(frozenset({AUTOMATION_READ}), username="reader")
    await world.retry(
        failed.execution_id, await world.key(frozenset({AUTOMATION_EXECUTE})), idempotency_key="k"
    )

    answer = await world.retry(failed.execution_id, reader, idempotency_key="k")

    assert answer.status_code == 403


async def test_concurrent_twins_get_one_answer(world: World) -> None:
    """Thirty at once with one key: thirty times the same 200, one effect."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key()

    answers = await asyncio.gather(
        *[world.retry(failed.execution_id, key, idempotency_key="k") for _ in range(30)]
    )

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert await attempts(world, failed.execution_id) == 1


async def test_a_key_raced_for_by_two_executions_is_given_to_one(world: World) -> None:
    """Of many executions retried at once with one key one is retried; the others are told 422."""
    failed = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(10)]
    key = await world.key()

    answers = await asyncio.gather(
        *[world.retry(one.execution_id, key, idempotency_key="k") for one in failed]
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 9
    assert sum([await attempts(world, one.execution_id) for one in failed]) == 1
    wanted = {one.execution_id for one in failed}
    queued = [sent.retried.execution_id for sent in await world.sent(MessageKind.JOB)]
    assert sum(execution_id in wanted for execution_id in queued) == 1


@pytest.mark.parametrize("age", ["24 hours 59 minutes", "-1 hours"])
async def test_a_clock_that_jumps_by_an_hour_expires_no_key(
    postgres_world: World, database_url: str, age: str
) -> None:
    """A day is promised; the answer may seem an hour older or younger than it is."""
    world = postgres_world
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key()
    await world.retry(failed.execution_id, key, idempotency_key="k")
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE automation_idempotency_keys SET retried_at = retried_at - %s::interval", (age,)
        )

    removed = await world.container.expire_idempotency_keys()()
    answer = await world.retry(failed.execution_id, key, idempotency_key="k")

    assert removed == 0
    assert answer.headers["idempotent-replayed"] == "true"


async def test_after_a_day_the_key_is_free(postgres_world: World, database_url: str) -> None:
    """And two hours: an expired answer is not given any more; the same key serves a new retry."""
    world = postgres_world
    failed, later = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(2)]
    key = await world.key()
    await world.retry(failed.execution_id, key, idempotency_key="k")
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE automation_idempotency_keys SET retried_at = retried_at - interval '27 hours'"
        )

    expired = await world.retry(failed.execution_id, key, idempotency_key="k")
    answer = await world.retry(later.execution_id, key, idempotency_key="k")

    assert (expired.status_code, answer.status_code) == (400, 200)


async def test_housekeeping_removes_what_expired(postgres_world: World, database_url: str) -> None:
    """Answers older than a day are removed, younger ones kept."""
    world = postgres_world
    failed, later = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(2)]
    key = await world.key()
    await world.retry(failed.execution_id, key, idempotency_key="old")
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE automation_idempotency_keys SET retried_at = retried_at - interval '27 hours'"
        )
    await world.retry(later.execution_id, key, idempotency_key="young")

    removed = await world.container.expire_idempotency_keys()()

    with psycopg.connect(database_url) as connection:
        kept = connection.execute("SELECT key FROM automation_idempotency_keys").fetchall()
    assert removed == 1
    assert kept == [("young",)]
