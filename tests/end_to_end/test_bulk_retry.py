"""`POST /executions/bulk-retry`: several executions by id."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from automation_retry.application import MessageKind
from automation_retry.domain import AUTOMATION_READ, Execution, ExecutionStatus
from automation_retry.entrypoints.in_process import open_service, read_settings
from tests.support.bulk import BULK_RETRY, bulk_retry, outcomes
from tests.support.factories import a_failed_execution, a_principal, an_execution
from tests.support.world import EXECUTIONS, World, with_key


async def failed_ones(world: World, number: int) -> list[Execution]:
    return [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(number)]


async def test_the_answer_says_what_became_of_each(world: World) -> None:
    """In the order of the request; refusals as the single retry answers them."""
    failed, other = await failed_ones(world, 2)
    running = await world.add(an_execution(tenant=world.tenant, status=ExecutionStatus.RUNNING))
    missing = uuid4()
    key = await world.key()
    ids = [other.execution_id, missing, running.execution_id, failed.execution_id]

    answer = await bulk_retry(world, key, ids)

    singles = {
        one: (await world.retry(one, key)).json()["error"]
        for one in (missing, running.execution_id)
    }
    assert answer.status_code == 200
    assert answer.json() == {
        "data": {
            "action": "retry",
            "execution_ids": [str(other.execution_id), str(failed.execution_id)],
            "retried_count": 2,
            "errors": [f"{one}: {error['message']}" for one, error in singles.items()],
            "message": "Retried 2 of 4 executions",
            "results": [
                {
                    "execution_id": str(other.execution_id),
                    "outcome": "retried",
                    "retry_count": 1,
                },
                *(
                    {
                        "execution_id": str(one),
                        "outcome": "refused",
                        "code": error["code"],
                        "message": error["message"],
                        "details": error.get("details"),
                    }
                    for one, error in singles.items()
                ),
                {
                    "execution_id": str(failed.execution_id),
                    "outcome": "retried",
                    "retry_count": 1,
                },
            ],
        }
    }


async def test_each_is_archived_queued_and_announced_with_the_reason(world: World) -> None:
    """A hundred of them, of which everyone gets a job, an event and an attempt."""
    failed = await failed_ones(world, 100)
    key = await world.key()
    ids = [one.execution_id for one in failed]

    answer = await bulk_retry(world, key, ids, "SMTP is back", x_request_id="ticket-4711")

    assert outcomes(answer) == [1] * 100
    for kind in MessageKind:
        mine = [one.retried for one in await world.sent(kind) if one.retried.tenant == world.tenant]
        assert {one.execution_id for one in mine} == {*ids}
        assert {(one.reason, one.request_id) for one in mine} == {("SMTP is back", "ticket-4711")}
    listed = (await world.get(f"{EXECUTIONS}/{ids[7]}/attempts", key)).json()["data"]
    assert [(one["attempt"], one["reason"], one["error_message"]) for one in listed] == [
        (1, "SMTP is back", failed[7].error_message)
    ]


async def test_without_a_reason_it_is_null(world: World) -> None:
    [failed] = await failed_ones(world, 1)
    key = await world.key()

    await bulk_retry(world, key, [failed.execution_id])

    listed = (await world.get(f"{EXECUTIONS}/{failed.execution_id}/attempts", key)).json()["data"]
    assert [one["reason"] for one in listed] == [None]


async def test_an_id_that_comes_twice_counts_once(world: World) -> None:
    """In capitals, too; in the place where it comes first."""
    first, second = await failed_ones(world, 2)
    ids = [str(second.execution_id).upper(), first.execution_id, second.execution_id]

    answer = await bulk_retry(world, await world.key(), ids)

    data = answer.json()["data"]
    assert data["execution_ids"] == [str(second.execution_id), str(first.execution_id)]
    assert data["message"] == "Retried 2 of 2 executions"


async def test_executions_of_another_tenant_are_as_if_they_were_missing(world: World) -> None:
    """To the last byte, apart from the id; and they stay as they are."""
    theirs = await world.add(a_failed_execution())
    [failed] = await failed_ones(world, 1)
    missing, key = uuid4(), await world.key()

    foreign = await bulk_retry(world, key, [theirs.execution_id])
    nobody_s = await bulk_retry(world, key, [missing])
    both = await bulk_retry(world, key, [theirs.execution_id, failed.execution_id])

    assert foreign.text.replace(str(theirs.execution_id), str(missing)) == nobody_s.text
    assert outcomes(both) == ["NOT_FOUND", 1]
    assert await world.storage.executions.get(theirs.tenant, theirs.execution_id) == theirs


async def test_it_takes_one_token_of_the_rate_limit(world: World) -> None:
    failed = await failed_ones(world, 5)
    key = await world.key()
    before = await world.get(f"{EXECUTIONS}/{failed[0].execution_id}", key)

    answer = await bulk_retry(world, key, [one.execution_id for one in failed])

    left = [int(one.headers["x-ratelimit-remaining"]) for one in (before, answer)]
    assert left[0] - left[1] == 1


async def test_it_takes_the_permission_to_execute(world: World) -> None:
    """403 before the body is looked at."""
    reader = await world.key(frozenset({AUTOMATION_READ}), username="reader")

    answer = await world.client.post(BULK_RETRY, content=b"{", headers=with_key(reader, {}))

    assert answer.status_code == 403


ID = "5fba69ef-1d4c-4f0e-8d3b-6f2a9c7e4b10"
IDS = "an array of 1 to 100 UUIDs, each 8-4-4-4-12 hexadecimal digits"
REASON = "a text of 1 to 500 characters, without NUL"
BODY = "a JSON object (RFC 8259, UTF-8)"
UNKNOWN = "no such parameter; there are: ids, reason"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", {"body": BODY}),
        ("ids", {"body": BODY}),
        ("[]", {"body": BODY}),
        ("null", {"body": BODY}),
        (f'{{"ids": ["{ID}"], "reason": "\\ud83d"}}', {"body": BODY}),
        ("{}", {"ids": f"required: {IDS}"}),
        ('{"ids": null}', {"ids": IDS}),
        ('{"ids": []}', {"ids": IDS}),
        (f'{{"ids": "{ID}"}}', {"ids": IDS}),
        (f'{{"ids": ["{ID}", 4711]}}', {"ids": IDS}),
        (f'{{"ids": ["{ID}", "{{{ID}}}"]}}', {"ids": IDS}),
        (f'{{"ids": ["{ID}", "5fba69ef1d4c4f0e8d3b6f2a9c7e4b10"]}}', {"ids": IDS}),
        (f'{{"ids": ["{ID}\\n"]}}', {"ids": IDS}),
        (json.dumps({"ids": [ID] * 101}), {"ids": IDS}),
        (f'{{"ids": ["{ID}"], "ids": ["{ID}"]}}', {"ids": "given once"}),
        (f'{{"ids": ["{ID}"], "reason": null}}', {"reason": REASON}),
        (f'{{"ids": ["{ID}"], "reason": ""}}', {"reason": REASON}),
        (f'{{"ids": ["{ID}"], "reason": 1}}', {"reason": REASON}),
        (f'{{"ids": ["{ID}"], "reason": "nul \\u0000"}}', {"reason": REASON}),
        (json.dumps({"ids": [ID], "reason": "x" * 501}), {"reason": REASON}),
        (f'{{"ids": ["{ID}"], "filter": {{}}}}', {"filter": UNKNOWN}),
        (f'{{"ids": ["{ID}"], "Reason": "x"}}', {"Reason": UNKNOWN}),
        ('{"ids": [], "reason": ""}', {"ids": IDS, "reason": REASON}),
    ],
)
async def test_a_wrong_body_is_400_and_says_what_would_be_right(
    world: World, body: str, expected: Mapping[str, Any]
) -> None:
    """Nothing is retried, of the right ids neither."""
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    text = body.replace(ID, str(failed.execution_id), 1)

    answer = await world.client.post(
        BULK_RETRY, content=text.encode(), headers=with_key(await world.key(), {})
    )

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"] == [
        {"parameter": name, "expected": right} for name, right in expected.items()
    ]
    assert await world.storage.executions.get(failed.tenant, failed.execution_id) == failed


async def test_the_longest_reason_is_fine(world: World) -> None:
    """500 characters, of four bytes each."""
    [failed] = await failed_ones(world, 1)

    answer = await bulk_retry(world, await world.key(), [failed.execution_id], "\U0001f680" * 500)

    assert outcomes(answer) == [1]


@pytest.mark.parametrize("storage", ["memory", "postgres"])
async def test_in_process_it_is_the_same(request: pytest.FixtureRequest, storage: str) -> None:
    """By the service that other programs open, a repetition included."""
    url = "memory:" if storage == "memory" else request.getfixturevalue("database_url")
    caller = a_principal()
    failed = a_failed_execution(tenant=caller.tenant)
    ids = [failed.execution_id, uuid4()]
    async with open_service(read_settings({"DATABASE_URL": url})) as service:
        await service.executions.add([failed])
        first = await service.bulk_retry(caller, ids, reason="why", idempotency_key="k")
        again = await service.bulk_retry(caller, ids, reason="why", idempotency_key="k")

    assert [one.execution_id for one in first.retried] == ids[:1]
    assert [one.refusal.code for one in first.refused] == ["NOT_FOUND"]
    assert (again.results, again.replayed) == (first.results, True)


async def test_a_parameter_that_it_does_not_have_is_refused(world: World) -> None:
    """Whoever hopes for a dry run must not retry for real."""
    [failed] = await failed_ones(world, 1)
    key = await world.key()

    answer = await world.client.post(
        f"{BULK_RETRY}?dry_run=true",
        json={"ids": [str(failed.execution_id)]},
        headers={"x-api-key": key},
    )

    [detail] = answer.json()["error"]["details"]
    assert (answer.status_code, detail["parameter"]) == (400, "dry_run")
    kept = await world.storage.executions.get(world.tenant, failed.execution_id)
    assert kept.status is ExecutionStatus.FAILED
