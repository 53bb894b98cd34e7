"""`GET /me` as OPERATORS.md has it, over HTTP, the same on every storage."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from automation_retry.domain import AUTOMATION_READ, Permission
from tests.support.world import BOTH, World, running_service

ME = "/api/v1/automation/me"


async def test_a_caller_is_told_who_it_is(world: World) -> None:
    """Of which tenant, with which key, and what it may do."""
    key = await world.key()

    answer = await world.get(ME, key)

    [stored] = await world.storage.directory.api_keys(world.tenant)
    assert answer.status_code == 200
    assert answer.json() == {
        "data": {
            "tenant": str(world.tenant),
            "user_id": str(stored.user_id),
            "username": "operator",
            "api_key_id": str(stored.api_key_id),
            "permissions": ["automation:execute", "automation:read"],
            "rate_limit": {"limit": 120, "remaining": 119, "enforced": False},
        }
    }


async def test_every_permission_is_named_in_order(world: World) -> None:
    """Those of other resources as well."""
    others = {Permission("ticket", "update"), Permission("asset", "read")}
    key = await world.key(frozenset({AUTOMATION_READ, *others}))

    data = (await world.get(ME, key)).json()["data"]

    assert data["permissions"] == ["asset:read", "automation:read", "ticket:update"]


async def test_no_permission_is_needed(world: World) -> None:
    """Any valid key; the list is empty then."""
    key = await world.key(frozenset(), username="outsider")

    data = (await world.get(ME, key)).json()["data"]

    assert (data["username"], data["permissions"]) == ("outsider", [])


async def test_the_same_name_in_another_tenant_is_another_user(world: World) -> None:
    """A key never tells of another tenant."""
    elsewhere = uuid4()
    key, foreign = await world.key(), await world.key(tenant=elsewhere)

    mine, other = [(await world.get(ME, one)).json()["data"] for one in (key, foreign)]

    assert (mine["tenant"], other["tenant"]) == (str(world.tenant), str(elsewhere))
    assert mine["user_id"] != other["user_id"]


@pytest.mark.parametrize("key", [None, "", "nobody's"])
async def test_a_valid_key_is_needed(world: World, key: str | None) -> None:
    """401 otherwise."""
    assert (await world.get(ME, key)).status_code == 401


async def test_a_key_of_another_tenant_is_refused(world: World) -> None:
    """Where the caller names a tenant."""
    key = await world.key()

    assert (await world.get(ME, key, x_tenant_id=str(uuid4()))).status_code == 401


@pytest.fixture(params=["memory", "postgres"])
async def limited(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A service that enforces its rate limit."""
    url = "memory:" if request.param == "memory" else request.getfixturevalue("shared_database_url")
    variables = {"RATE_LIMIT_ENFORCE": "true", "AUTOMATION_RETRY_RELAY": "false"}
    async with running_service({"DATABASE_URL": url, **variables}) as world:
        yield world


async def test_the_rate_limit_is_told_after_the_request(limited: World) -> None:
    """As the headers have it; asking costs a token like everything else."""
    key = await limited.key(BOTH)

    answers = [await limited.get(ME, key) for _ in range(3)]

    limits = [one.json()["data"]["rate_limit"] for one in answers]
    assert [one["remaining"] for one in limits] == [
        int(one.headers["x-ratelimit-remaining"]) for one in answers
    ]
    assert limits[0] == {"limit": 120, "remaining": 119, "enforced": True}
    assert limits[2]["remaining"] < 119


async def test_an_empty_bucket_says_nothing_else(limited: World) -> None:
    """429 comes before permissions and parameters."""
    key = await limited.key(frozenset())
    statuses = {(await limited.get(ME, key)).status_code for _ in range(130)}

    lists = [
        (await limited.get(f"/api/v1/automation/{path}", key)).status_code
        for path in ("executions?limit=0", "failure-groups?limit=0")
    ]

    assert statuses == {200, 429}
    assert lists == [429, 429]


async def test_it_has_no_parameters(world: World) -> None:
    answer = await world.get(f"{ME}?verbose=true", await world.key())

    [detail] = answer.json()["error"]["details"]
    assert (answer.status_code, detail["parameter"]) == (400, "verbose")
