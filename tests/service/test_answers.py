"""The status table of AlgaPSA and of the design, over HTTP, the same on every storage."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from automation_retry.application import ExecutionJob, MessageKind, RetriedEvent
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, ExecutionStatus
from tests.factories import a_failed_execution, an_execution
from tests.service.world import EXECUTIONS, World

UNAUTHORIZED = {"error": {"code": "UNAUTHORIZED", "message": "Invalid API key"}}
NOT_FOUND = {"error": {"code": "NOT_FOUND", "message": "Execution not found"}}


async def test_a_failed_execution_is_retried(world: World) -> None:
    """200 with AlgaPSA's body: reset, counters and errors cleared, everything else kept."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    before = datetime.now(UTC)

    answer = await world.retry(failed.execution_id, await world.key())

    link = f"{EXECUTIONS}/{failed.execution_id}"
    data = answer.json()["data"]
    started_at = data.pop("started_at")
    assert answer.status_code == 200
    assert data == {
        "execution_id": str(failed.execution_id),
        "automation_rule_id": str(failed.automation_rule_id),
        "trigger_data": failed.trigger_data,
        "status": "pending",
        "completed_at": None,
        "duration_ms": None,
        "actions_total": 4,
        "actions_successful": 0,
        "actions_failed": 0,
        "error_message": None,
        "error_stack": None,
        "failed_action_index": None,
        "execution_context": failed.execution_context,
        "logs": [
            {"timestamp": "2026-11-23T12:00:00.123456Z", "level": "info", "message": "started"},
            {
                "timestamp": "2026-11-23T12:00:02.123456Z",
                "level": "error",
                "message": "SMTP server did not answer",
                "action_index": 2,
                "metadata": {"host": "mail.example.com", "tries": [1, 2, 3]},
            },
        ],
        "tenant": str(world.tenant),
        "retry_count": 1,
        "_links": {
            "execution": link,
            "rule": f"/api/v1/automation/rules/{failed.automation_rule_id}",
        },
    }
    assert before <= datetime.fromisoformat(started_at) <= datetime.now(UTC)
    assert started_at.endswith("Z")


async def test_a_read_shows_what_the_retry_committed(world: World) -> None:
    """GET answers what the retry answered, with the links of a read."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key()

    retried = (await world.retry(failed.execution_id, key)).json()["data"]
    read = (await world.get(f"{EXECUTIONS}/{failed.execution_id}", key)).json()["data"]

    assert read.pop("_links") == {
        "self": f"{EXECUTIONS}/{failed.execution_id}",
        "rule": f"/api/v1/automation/rules/{failed.automation_rule_id}",
    }
    del retried["_links"]
    assert read == retried


async def test_the_failed_attempts_are_listed_newest_first(world: World) -> None:
    """Every cleared value, who retried and when, a page at a time."""
    failed = await world.add(
        a_failed_execution(tenant=world.tenant, error_message="the second error", retry_count=1)
    )
    key = await world.key()
    retried = await world.retry(failed.execution_id, key, x_request_id="ticket-4711")

    answer = await world.get(f"{EXECUTIONS}/{failed.execution_id}/attempts", key)

    [attempt] = answer.json()["data"]
    keys = await world.container.directory().api_keys(world.tenant)
    assert answer.json()["pagination"] == {
        "page": 1,
        "limit": 25,
        "total": 1,
        "totalPages": 1,
        "hasNext": False,
        "hasPrev": False,
    }
    assert attempt == {
        "attempt": 2,
        "retried_at": retried.json()["data"]["started_at"],
        "retried_by": str(keys[0].user_id),
        "api_key_id": str(keys[0].api_key_id),
        "request_id": "ticket-4711",
        "started_at": "2026-11-23T12:00:00.123456Z",
        "completed_at": "2026-11-23T12:00:02.873457Z",
        "duration_ms": 2750.5,
        "actions_successful": 2,
        "actions_failed": 1,
        "error_message": "the second error",
        "error_stack": failed.error_stack,
        "failed_action_index": 2,
    }


@pytest.mark.parametrize("status", [one for one in ExecutionStatus if one.value != "failed"])
async def test_only_failed_executions_are_retried(world: World, status: ExecutionStatus) -> None:
    """400 names the state; nothing changes."""
    other = await world.add(an_execution(tenant=world.tenant, status=status, retry_count=3))

    answer = await world.retry(other.execution_id, await world.key())

    assert answer.status_code == 400
    assert answer.json() == {
        "error": {
            "code": "BAD_REQUEST",
            "message": "Only failed executions can be retried; "
            f"execution {other.execution_id} is {status.value}",
            "details": {"status": status.value, "retry_count": 3},
        }
    }
    assert await world.container.executions().get(world.tenant, other.execution_id) == other


@pytest.mark.parametrize(
    "odd",
    [
        "nonsense",
        "%7B8d7e1f9a-5b1c-4c7e-9f3a-2b6d8e0f1a2c%7D",
        "urn:uuid:8d7e1f9a-5b1c-4c7e-9f3a-2b6d8e0f1a2c",
        "8d7e1f9a5b1c4c7e9f3a2b6d8e0f1a2c",
        "8d7e1f9a-5b1c-4c7e-9f3a-2b6d8e0f1a2c%0A",
        "%D9%A18d7e1f9-5b1c-4c7e-9f3a-2b6d8e0f1a2c",
    ],
)
async def test_anything_else_is_no_id(world: World, odd: str) -> None:
    """400 VALIDATION_ERROR for every spelling that is not 8-4-4-4-12 hexadecimal digits."""
    answer = await world.retry(odd, await world.key())

    assert answer.status_code == 400
    assert answer.json() == {
        "error": {"code": "VALIDATION_ERROR", "message": "Invalid automation ID format"}
    }


@pytest.mark.parametrize("spelled", [str.upper, str.lower])
async def test_an_id_may_be_in_any_case(world: World, spelled: object) -> None:
    """Upper and lower case name the same execution."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    assert callable(spelled)

    answer = await world.retry(spelled(str(failed.execution_id)), await world.key())

    assert answer.json()["data"]["execution_id"] == str(failed.execution_id)


async def test_another_tenants_execution_is_as_unknown_as_any(world: World) -> None:
    """404, byte for byte the answer for an id that nobody has."""
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


async def test_no_key_is_asked_for_one(world: World) -> None:
    """401 with the message that says what is missing."""
    answer = await world.retry(uuid4(), None)

    assert answer.status_code == 401
    assert answer.json() == {"error": {"code": "UNAUTHORIZED", "message": "API key required"}}


@pytest.mark.parametrize("why", ["unknown", "revoked", "expired", "used up", "inactive", "foreign"])
async def test_a_key_that_is_not_valid_opens_nothing(world: World, why: str) -> None:
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
            [listed] = await world.container.directory().api_keys(world.tenant)
            await world.container.directory().revoke_api_key(listed.api_key_id)
        case "used up":
            await world.retry(uuid4(), key)
        case "inactive":
            await _deactivate(world)

    answer = await world.retry(uuid4(), key, **headers)

    assert answer.status_code == 401
    assert answer.json() == UNAUTHORIZED


async def _deactivate(world: World) -> None:
    [user] = await world.container.directory().find_user("operator", world.tenant)
    if world.in_memory:
        world.container.memory_store().identities.deactivate(user.tenant, user.user_id)
        return
    async with world.container.database().connection() as connection:
        await connection.execute(
            "UPDATE users SET is_inactive = true WHERE tenant = %s AND user_id = %s",
            (user.tenant, user.user_id),
        )


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
    assert await world.container.executions().get(world.tenant, failed.execution_id) == failed


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


async def test_who_may_only_execute_may_not_read(world: World) -> None:
    """403 on reads without automation:read."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key(frozenset({AUTOMATION_EXECUTE}))

    answer = await world.get(f"{EXECUTIONS}/{failed.execution_id}", key)

    assert answer.json() == {
        "error": {"code": "FORBIDDEN", "message": "Permission denied: Cannot read automation"}
    }


async def test_a_body_is_ignored(world: World) -> None:
    """A retry says everything in its path."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))

    answer = await world.client.post(
        f"{EXECUTIONS}/{failed.execution_id}/retry",
        headers={"x-api-key": await world.key()},
        content=b"{not json" + b" " * 1_000_000,
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_has_a_limit(world: World, chunked: bool) -> None:
    """413 beyond 1 MiB, announced or not; nothing is retried."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    body = b"x" * (1024 * 1024 + 1)

    async def chunks() -> object:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    answer = await world.client.post(
        f"{EXECUTIONS}/{failed.execution_id}/retry",
        headers={"x-api-key": await world.key()},
        content=chunks() if chunked else body,  # type: ignore[arg-type]
    )

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"
    assert await world.container.executions().get(world.tenant, failed.execution_id) == failed


async def test_the_callers_request_id_reaches_everything(world: World) -> None:
    """The answer's header, the failed attempt, the job and the event carry it."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key()

    answer = await world.retry(failed.execution_id, key, x_request_id="from-the-caller-1")

    page = await world.container.executions().failed_attempts(
        world.tenant, failed.execution_id, page=1, limit=1
    )
    assert answer.headers["x-request-id"] == "from-the-caller-1"
    assert page.items[0].request_id == "from-the-caller-1"
    assert await _request_ids_of_messages(world, failed.execution_id) == {
        ("job", "from-the-caller-1"),
        ("event", "from-the-caller-1"),
    }


async def _request_ids_of_messages(
    world: World, execution_id: object
) -> set[tuple[str, str | None]]:
    found = set()
    for kind in MessageKind:
        async with world.container.outbox().claim(kind, 10_000) as claim:
            for message in claim.messages:
                if isinstance(message, ExecutionJob) and message.execution_id == execution_id:
                    found.add((kind.value, message.request_id))
                if isinstance(message, RetriedEvent):
                    retried = message.retried
                    if retried.execution_id == execution_id:
                        found.add((kind.value, retried.request_id))
    return found
