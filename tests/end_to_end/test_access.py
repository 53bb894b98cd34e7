"""Authentication, tenants and permissions over HTTP, on every storage."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, ExecutionStatus
from tests.support.factories import a_failed_execution, an_execution
from tests.support.world import EXECUTIONS, World

UNAUTHORIZED = {"error": {"code": "UNAUTHORIZED", "message": "Invalid API key"}}
NOT_FOUND = {"error": {"code": "NOT_FOUND", "message": "Execution not found"}}


async def test_another_tenants_execution_is_like_a_missing_one(world: World) -> None:
    """404, byte for byte the answer for an id that does not exist."""
    foreign = await world.add(a_failed_execution())
    key = await world.key()

    answers = [
        await world.retry(wanted, key, x_request_id="same")
        for wanted in (foreign.execution_id, uuid4(), "00000000-0000-0000-0000-000000000000")
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json() == NOT_FOUND
    assert len({frozenset(answer.headers) for answer in answers}) == 1


async def test_a_missing_key_is_named(world: World) -> None:
    """401 with the message that says what is missing."""
    answer = await world.retry(uuid4(), None)

    assert answer.status_code == 401
    assert answer.json() == {"error": {"code": "UNAUTHORIZED", "message": "API key required"}}


@pytest.mark.parametrize("why", ["unknown", "revoked", "expired", "used up", "inactive", "foreign"])
async def test_a_key_that_is_not_valid_is_refused(world: World, why: str) -> None:
    """401, the same whatever is wrong with the key."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    key = await world.key(
        expires_at=past if why == "expired" else None, usage_limit=1 if why == "used up" else None
    )
    headers = {"x_tenant_id": str(uuid4())} if why == "foreign" else {}
    match why:
        case "unknown":
            key += "x"
        case "revoked":
            [listed] = await world.storage.directory.api_keys(world.tenant)
            await world.storage.directory.revoke_api_key(listed.api_key_id)
        case "used up":
            await world.retry(uuid4(), key)
        case "inactive":
            await _deactivate(world)

    answer = await world.retry(uuid4(), key, **headers)

    assert answer.status_code == 401
    assert answer.json() == UNAUTHORIZED


async def _deactivate(world: World) -> None:
    [user] = await world.storage.directory.find_user("operator", world.tenant)
    await world.storage.directory.set_user_active(user, active=False)


async def test_a_key_works_with_its_own_tenant_named(world: World) -> None:
    """x-tenant-id is optional, and right when it is the key's."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))

    answer = await world.retry(
        failed.execution_id, await world.key(), x_tenant_id=str(world.tenant)
    )

    assert answer.status_code == 200


async def test_a_reader_may_not_retry(world: World) -> None:
    """403 before anything is told of the id; the execution stays failed."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key(frozenset({AUTOMATION_READ}))

    answers = [await world.retry(wanted, key) for wanted in (failed.execution_id, "nonsense")]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json() == {
        "error": {"code": "FORBIDDEN", "message": "Permission denied: Cannot execute automation"}
    }
    assert await world.storage.executions.get(world.tenant, failed.execution_id) == failed


async def test_the_retry_link_stands_exactly_where_a_retry_would_work(world: World) -> None:
    """Failed and permitted: a link. Not failed, or not permitted: none."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    running = await world.add(an_execution(tenant=world.tenant))
    operator = await world.key()
    reader = await world.key(frozenset({AUTOMATION_READ}), username="reader")

    links = {
        (who, which.status): (await world.get(f"{EXECUTIONS}/{which.execution_id}", key)).json()[
            "data"
        ]["_links"]
        for who, key in (("operator", operator), ("reader", reader))
        for which in (failed, running)
    }

    assert [where for where, found in links.items() if "retry" in found] == [
        ("operator", ExecutionStatus.FAILED)
    ]
    assert (await world.client.post(
        links["operator", ExecutionStatus.FAILED]["retry"], headers={"x-api-key": operator}
    )).status_code == 200  # fmt: skip


async def test_execute_does_not_include_read(world: World) -> None:
    """403 on reads without automation:read."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key(frozenset({AUTOMATION_EXECUTE}))

    answer = await world.get(f"{EXECUTIONS}/{failed.execution_id}", key)

    assert answer.json() == {
        "error": {"code": "FORBIDDEN", "message": "Permission denied: Cannot read automation"}
    }
