"""No tenant notices another one: every route, role and state, alone and beside neighbours.

The requests follow from the route table, so that a new route is among them; `tests/support/walls`
makes the resources that their paths name.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TEMPLATE
from tests.support.walls.calls import admits
from tests.support.walls.observation import Observation, Seen, observed
from tests.support.walls.resources import Whose
from tests.support.walls.service import Answer, site
from tests.support.walls.tenants import ACTING, LOWER, NEIGHBOURS, NO_KEY, ROLES, UPPER, Tenant

if TYPE_CHECKING:
    from tests.support.postgres_server import PostgresServer


def databases(request: pytest.FixtureRequest) -> tuple[str, str]:
    if request.param == "memory":
        return "memory:", "memory:"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database(TEMPLATE), server.new_database(TEMPLATE)


@pytest.fixture(scope="module", params=["memory", "postgres", "postgres by tenant"])
async def walls(request: pytest.FixtureRequest) -> Observation:
    """All requests, sent once; the tests look at what came of them."""
    by_tenant = request.param == "postgres by tenant"
    one, other = databases(request)
    async with (
        site(one, [ACTING], by_tenant=by_tenant) as alone,
        site(other, [LOWER, ACTING, UPPER], by_tenant=by_tenant) as beside,
    ):
        return await observed(alone, beside)


def shown(found: Iterable[tuple[object, object]]) -> Sequence[str]:
    """The first few of what should not be."""
    return [f"{what}: {why}" for what, why in found][:5]


def different(one: Answer, other: Answer) -> str:
    """How two answers differ; empty if they do not."""
    if one == other:
        return ""
    return f"{one.status} {one.headers} {one.body[:300]!r} is not {other}"[:1000]


def test_what_a_tenant_is_answered_does_not_depend_on_others(walls: Observation) -> None:
    """Status, headers and body are the same without neighbours, and whatever these have."""
    found = shown(
        (seen.call, how) for seen in walls.all if (how := different(seen.alone, seen.beside))
    )

    assert found == []


def test_another_tenants_resource_is_like_a_missing_one(walls: Observation) -> None:
    """For each route and role the same answer, but for its id, whatever state that is in."""
    missing = {
        (seen.call.place, replayed(seen)): seen.unnamed
        for seen in walls.all
        if seen.call.target.whose is Whose.NOBODY
    }
    foreign = [seen for seen in walls.all if seen.call.target.whose is Whose.FOREIGN]
    found = shown(
        (seen.call, how)
        for seen in foreign
        if (how := different(seen.unnamed, missing[seen.call.place, replayed(seen)]))
    )

    assert foreign
    assert found == []


def test_no_answer_tells_a_value_of_another_tenant(walls: Observation) -> None:
    """All ids, texts and payloads of a tenant begin with its mark or contain it."""
    found = shown(
        (seen.call, tenant.name)
        for seen in walls.all
        for tenant in NEIGHBOURS
        if seen.beside.holds(tenant.mark)
    )

    assert found == []
    assert any(seen.beside.holds(ACTING.mark) for seen in walls.all)


def test_filters_find_what_the_caller_has(walls: Observation) -> None:
    """Each by itself, so that a filter that forgets the tenant would find more."""
    found = {
        (seen.call.row.path, seen.call.query): b'"data":[]' not in seen.beside.body
        for seen in walls.reads
        if seen.call.target.whose is Whose.NONE and seen.beside.status == 200
    }

    assert len(found) > len({path for path, _ in found})
    assert [place for place, something in found.items() if not something] == []


@pytest.mark.parametrize("neighbour", NEIGHBOURS, ids=[one.name for one in NEIGHBOURS])
def test_requests_of_one_tenant_change_nothing_of_another(
    walls: Observation, neighbour: Tenant
) -> None:
    """Every row that names it is as before: executions, attempts, messages, answers, keys."""
    before = walls.neighbours_before[neighbour.name]
    after = walls.neighbours_after[neighbour.name]

    assert before
    assert sorted(set(before) ^ set(after))[:5] == []
    assert len(before) == len(after)


def test_a_role_without_the_permission_gets_one_answer(walls: Observation) -> None:
    """403 with the same body for each resource, whatever its state and whether it exists."""
    refused = [seen for seen in (*walls.refused, *walls.refused_replays) if seen.call.role.admitted]
    routes = {(seen.call.row.method, seen.call.row.path) for seen in refused}
    answers = {(seen.call.row.method, seen.call.row.path, seen.beside) for seen in refused}

    assert {seen.beside.status for seen in refused} == {403}
    assert len(answers) == len(routes)


def test_a_role_with_the_permission_is_never_forbidden(walls: Observation) -> None:
    """Nor unauthorized."""
    found = shown(
        (seen.call, seen.beside.status)
        for seen in walls.permitted
        if seen.beside.status in (401, 403)
    )

    assert found == []


def test_whoever_has_no_valid_key_gets_one_answer(walls: Observation) -> None:
    """401: one for a missing key, one for any other; the same everywhere."""
    refused = [
        seen for seen in (*walls.refused, *walls.refused_replays) if not seen.call.role.admitted
    ]
    without = {seen.beside for seen in refused if seen.call.role is NO_KEY}
    invalid = {seen.beside for seen in refused if seen.call.role is not NO_KEY}

    assert {seen.beside.status for seen in refused} == {401}
    assert (len(without), len(invalid)) == (1, 1)


def test_refused_requests_change_nothing(walls: Observation) -> None:
    """Of the tenant itself, but for `last_used_at` of its keys."""
    assert walls.acting_before["beside"]
    assert walls.acting_before == walls.acting_after


def test_public_routes_need_no_key(walls: Observation) -> None:
    """And do not look at one."""
    answers = {(seen.call.row.path, seen.beside) for seen in walls.public}

    assert {seen.beside.status for seen in walls.public} == {200}
    assert len(answers) == len({path for path, _ in answers})


def test_idempotency_keys_of_others_have_no_effect(walls: Observation) -> None:
    """The same keys were used by other roles and tenants: nothing is replayed, all can be used."""
    plain = {(seen.call.place, str(seen.call.target)): seen.beside.status for seen in walls.changes}
    found = shown(
        (seen.call, seen.beside.status)
        for seen in walls.keyed
        if replayed(seen) or seen.beside.status != plain[seen.call.place, str(seen.call.target)]
    )

    assert found == []


def test_a_role_gets_its_own_answers_again(walls: Observation) -> None:
    """With the same body, and a header that says so; what was refused is refused again."""
    found = shown(
        (first.call, again.beside.status)
        for first, again in zip(walls.keyed, walls.replays, strict=True)
        if (first.beside.status, first.beside.body) != (again.beside.status, again.beside.body)
        or replayed(again) is not (first.beside.status == 200)
    )

    assert found == []


def replayed(seen: Seen) -> bool:
    return any(name.lower() == b"idempotent-replayed" for name, _ in seen.beside.headers)


def test_a_tenant_does_not_use_up_the_rate_limit_of_another(walls: Observation) -> None:
    """Even of a key with the same id."""
    answers = walls.first_by_neighbours.values()

    assert [answer.tokens for answer in answers] == [119, 119]
    assert any(seen.beside.tokens == 0 for seen in walls.reads_of_changed)


def test_tenants_that_ask_at_the_same_time_do_not_mix(walls: Observation) -> None:
    """The requests share statements. Each tenant sees its own resource, as if it were alone."""
    found = shown(
        (race.call, different(race.alone, race.together[ACTING]))
        for race in walls.raced
        if race.alone != race.together[ACTING]
    )
    mixed = shown(
        (race.call, tenant.name)
        for race in walls.raced
        for tenant, answer in race.together.items()
        if any(answer.holds(other.mark) for other in race.together if other != tenant)
    )
    statuses = shown(
        (race.call, [answer.status for answer in race.together.values()])
        for race in walls.raced
        if len({answer.status for answer in race.together.values()}) > 1
    )

    assert found == []
    assert mixed == []
    assert statuses == []


def test_no_retry_sends_a_message_of_another_tenant(walls: Observation) -> None:
    """Nor one twice: the tenant's jobs and events are those that it sends without neighbours."""
    mine = {
        name: [message for message in messages if message[1] == ACTING.id]
        for name, messages in walls.messages.items()
    }

    assert mine["alone"]
    assert sorted(map(str, mine["beside"])) == sorted(map(str, mine["alone"]))
    assert len(walls.messages["beside"]) == len(set(walls.messages["beside"]))


def test_every_route_is_asked_by_every_role(walls: Observation) -> None:
    """And succeeds for something that the caller has, if it may."""
    asked = {(seen.call.row.method, seen.call.row.path, seen.call.role) for seen in walls.all}
    succeeded = {
        (seen.call.row.method, seen.call.row.path, seen.call.role)
        for seen in walls.permitted
        if seen.beside.status < 300
    }
    protected = [row for row in walls.table if row.protected]

    for row in protected:
        for role in ROLES:
            assert (row.method, row.path, role) in asked
            assert ((row.method, row.path, role) in succeeded) is admits(row, role)
    public = {(seen.call.row.method, seen.call.row.path) for seen in walls.public}
    assert public == {(row.method, row.path) for row in walls.table if not row.protected}
