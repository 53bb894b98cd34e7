"""The status table of AlgaPSA and of the design, over HTTP, the same on every storage."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from automation_retry.application import MessageKind, PageRequest
from automation_retry.domain import ExecutionStatus
from tests.support.factories import a_failed_execution, an_execution
from tests.support.world import EXECUTIONS, World


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
        "trigger_data": {"ticket": {"number": 4711, "tags": ["vip", "Zürich"]}},
        "status": "pending",
        "completed_at": None,
        "duration_ms": None,
        "actions_total": 4,
        "actions_successful": 0,
        "actions_failed": 0,
        "error_message": None,
        "error_stack": None,
        "failed_action_index": None,
        "execution_context": {"dry_run": False},
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
        "collection": EXECUTIONS,
        "rule": f"/api/v1/automation/rules/{failed.automation_rule_id}",
    }
    del retried["_links"]
    assert read == retried


async def test_the_failed_attempts_are_listed_newest_first(world: World) -> None:
    """Every cleared value, the user who retried and the time, a page at a time."""
    failed = await world.add(
        a_failed_execution(tenant=world.tenant, error_message="the second error", retry_count=1)
    )
    key = await world.key()
    retried = await world.retry(failed.execution_id, key, x_request_id="ticket-4711")

    answer = await world.get(f"{EXECUTIONS}/{failed.execution_id}/attempts", key)

    [attempt] = answer.json()["data"]
    keys = await world.storage.directory.api_keys(world.tenant)
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
        "reason": None,
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
    assert await world.storage.executions.get(world.tenant, other.execution_id) == other


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
async def test_other_spellings_of_an_id_are_refused(world: World, odd: str) -> None:
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
    assert await world.storage.executions.get(world.tenant, failed.execution_id) == failed


async def test_the_callers_request_id_reaches_everything(world: World) -> None:
    """The answer's header, the failed attempt, the job and the event carry it."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    key = await world.key()

    answer = await world.retry(failed.execution_id, key, x_request_id="from-the-caller-1")

    page = await world.storage.executions.failed_attempts(
        world.tenant, failed.execution_id, PageRequest(limit=1)
    )
    assert answer.headers["x-request-id"] == "from-the-caller-1"
    assert page.items[0].request_id == "from-the-caller-1"
    assert await _request_ids_of_messages(world, failed.execution_id) == {
        ("job", "from-the-caller-1"),
        ("event", "from-the-caller-1"),
    }


async def _request_ids_of_messages(world: World, execution_id: UUID) -> set[tuple[str, str | None]]:
    return {
        (kind.value, sent.retried.request_id)
        for kind in MessageKind
        for sent in await world.sent(kind)
        if sent.retried.execution_id == execution_id
    }
