"""A right that a role lacks is told before the first retry, with the statement that grants it."""

from collections.abc import AsyncIterator, Iterator
from itertools import chain
from uuid import uuid4

import psycopg
import pytest

from automation_retry.adapters.postgres.rights import (
    BESIDES,
    TO_DELIVER,
    TO_LIST_FAILURES,
    TO_RETRY,
)
from automation_retry.adapters.procrastinate.retention import TO_REMOVE
from tests.support.factories import a_failed_execution
from tests.support.postgres_server import PostgresServer
from tests.support.world import World, running_service

PATIENCE_S = 30
OLD_EVENTS = "Old events are not removed."
READ = (
    "automation_retry_migrations",
    "automation_retry_procrastinate",
    "automation_delivery_failures",
)
PROCRASTINATE = (
    ("SELECT, INSERT", "procrastinate_jobs"),
    ("INSERT", "procrastinate_events"),
    ("USAGE", "SEQUENCE procrastinate_jobs_id_seq"),
    ("USAGE", "SEQUENCE procrastinate_events_id_seq"),
)


def rights() -> Iterator[tuple[str, str]]:
    """Privileges, and what they are on: all that serving and relaying need."""
    for right in (*TO_RETRY, *TO_DELIVER, *TO_REMOVE, *chain(*BESIDES.values())):
        columns = ", ".join(column for column in right.columns if column)
        yield f"{right.privilege} ({columns})" if columns else right.privilege, right.on
    yield from (("SELECT", table) for table in READ)
    yield from PROCRASTINATE


@pytest.fixture
def role(postgres_server: PostgresServer, database_url: str) -> Iterator[str]:
    """May do what the service needs and nothing else, by the column where that is possible."""
    name = f"app_{uuid4().hex}"
    postgres_server.execute(f"CREATE ROLE {name}")
    with psycopg.connect(database_url) as connection:
        for privileges, on in rights():
            connection.execute(f"GRANT {privileges} ON {on} TO {name}")
    yield name
    with psycopg.connect(database_url) as connection:
        connection.execute(f"DROP OWNED BY {name}")
    postgres_server.execute(f"DROP ROLE {name}")


@pytest.fixture
async def world(database_url: str, role: str) -> AsyncIterator[World]:
    """The service as that role, with a relay."""
    async with running_service({"DATABASE_URL": as_role(database_url, role)}) as world:
        yield world


def as_role(url: str, role: str) -> str:
    return f"{url}&options=-c%20role%3D{role}"


async def problems(world: World) -> list[str]:
    answer = await world.client.get("/readyz")
    found: list[str] = answer.json().get("error", {}).get("details", {}).get("problems", [])
    return found


async def test_the_rights_that_are_asked_for_are_enough(world: World, database_url: str) -> None:
    """Ready, retried and delivered."""
    async with running_service(
        {"DATABASE_URL": database_url, "AUTOMATION_RETRY_RELAY": "false"}
    ) as owner:
        execution = await owner.add(a_failed_execution(tenant=owner.tenant))
        key = await owner.key()
    answer = await world.retry(execution.execution_id, key, idempotency_key="k")
    ready = await world.client.get("/readyz")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"SET statement_timeout = '{PATIENCE_S}s'")
        while connection.execute("SELECT FROM automation_outbox").rowcount:
            pass
        jobs = connection.execute("SELECT FROM procrastinate_jobs").rowcount

    assert answer.status_code == 200
    assert ready.json() == {"data": {"status": "ready"}}
    assert jobs == 2


async def test_the_rights_that_are_asked_for_are_enough_to_read(
    world: World, database_url: str
) -> None:
    """Lists, failure groups, attempts and who calls."""
    async with running_service({"DATABASE_URL": database_url}) as owner:
        execution = await owner.add(a_failed_execution(tenant=owner.tenant))
        key = await owner.key()

    paths = [
        "executions?failed_from=2026-11-23T00:00:00Z&search=SMTP&sort=duration_ms",
        f"executions/{execution.execution_id}/attempts",
        "failure-groups?failed_to=2026-11-24T00:00:00Z",
        "me",
    ]
    answers = [await world.get(f"/api/v1/automation/{path}", key) for path in paths]

    assert [one.status_code for one in answers] == [200] * len(paths)


async def test_without_the_right_to_names_only_who_calls_is_unknown(
    world: World, database_url: str, role: str
) -> None:
    """A role that was granted its rights before an upgrade serves as before."""
    async with running_service({"DATABASE_URL": database_url}) as owner:
        execution = await owner.add(a_failed_execution(tenant=owner.tenant))
        key = await owner.key()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"REVOKE SELECT (username) ON users FROM {role}")

    me = await world.get("/api/v1/automation/me", key)
    listed = await world.get("/api/v1/automation/executions", key)
    retried = await world.retry(execution.execution_id, key)

    assert [one.status_code for one in (me, listed, retried)] == [503, 200, 200]


@pytest.mark.parametrize(
    ("privilege", "on"),
    [
        ("INSERT", "automation_failed_attempts"),
        ("DELETE", "automation_outbox"),
        ("UPDATE (status)", "automation_executions"),
        ("SELECT (expires_at)", "api_keys"),
        ("INSERT", "procrastinate_jobs"),
        ("INSERT", "procrastinate_events"),
        ("USAGE", "SEQUENCE procrastinate_jobs_id_seq"),
        ("USAGE", "SEQUENCE procrastinate_events_id_seq"),
    ],
)
async def test_a_right_that_is_missing_is_named(
    world: World, database_url: str, role: str, privilege: str, on: str
) -> None:
    """Not ready; the statement in the problem is all that is needed."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"REVOKE {privilege} ON {on} FROM {role}")
        [problem] = await problems(world)
        statement = problem.partition("; run: ")[2]
        connection.execute(statement)

    assert statement == f"GRANT {privilege} ON {on} TO {role};"
    assert await problems(world) == []


@pytest.mark.parametrize(
    ("consequence", "right"),
    [
        (OLD_EVENTS, ("DELETE", "procrastinate_jobs")),
        (OLD_EVENTS, ("UPDATE (worker_id)", "procrastinate_jobs")),
        (OLD_EVENTS, ("SELECT (at)", "procrastinate_events")),
        (OLD_EVENTS, ("UPDATE (job_id)", "procrastinate_periodic_defers")),
        (
            "Idempotency records are not removed, and bulk retries with a key fail.",
            ("UPDATE", "automation_idempotency_keys"),
        ),
        ("Callers are not told who they are.", ("SELECT (username)", "users")),
    ],
)
async def test_a_right_that_no_retry_needs_is_a_warning(
    world: World, database_url: str, role: str, consequence: str, right: tuple[str, str]
) -> None:
    """Ready; the statement in the warning is all that is needed."""
    privilege, on = right
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"REVOKE {privilege} ON {on} FROM {role}")
        answer = await world.client.get("/readyz")
        [warning] = answer.json()["data"]["warnings"]
        statement = warning.partition("; run: ")[2]
        connection.execute(statement)
    mended = await world.client.get("/readyz")

    assert answer.status_code == 200
    assert warning.startswith(f"{consequence} The role")
    assert statement == f"GRANT {privilege} ON {on} TO {role};"
    assert mended.json() == {"data": {"status": "ready"}}


async def test_a_schema_that_may_not_be_used_is_named(
    world: World, database_url: str, role: str
) -> None:
    """All tables are there, but the role does not see them."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("REVOKE USAGE ON SCHEMA public FROM public")
        found = await problems(world)
        connection.execute(found[0].partition("; run: ")[2])

    assert found[0] == (
        f"The role {role} may not use the schema public; "
        f"run: GRANT USAGE ON SCHEMA public TO {role};"
    )
    assert await problems(world) == []


async def test_a_function_that_may_not_be_called_is_named(
    world: World, database_url: str, role: str
) -> None:
    """By which jobs are deferred."""
    function = "procrastinate_defer_jobs_v1"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM public")
        [problem] = await problems(world)
        connection.execute(problem.partition("; run: ")[2])

    assert problem == (
        f"The role {role} may not call {function}; run: "
        f"GRANT EXECUTE ON FUNCTION {function} TO {role};"
    )
    assert await problems(world) == []


async def test_a_function_for_failures_that_may_not_be_called_is_a_warning(
    world: World, database_url: str, role: str
) -> None:
    """Ready, as retries work without it; the statement in the warning is all that is needed."""
    functions = ", ".join(TO_LIST_FAILURES[:2]).replace("uuid, text", "uuid,text")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"REVOKE EXECUTE ON FUNCTION {functions} FROM public")
        answer = await world.client.get("/readyz")
        [warning] = answer.json()["data"]["warnings"]
        connection.execute(warning.partition("; run: ")[2])
    mended = await world.client.get("/readyz")

    assert answer.status_code == 200
    assert warning == (
        f"Failures cannot be listed. The role {role} may not call {functions}; run: "
        f"GRANT EXECUTE ON FUNCTION {functions} TO {role};"
    )
    assert mended.json() == {"data": {"status": "ready"}}


async def test_another_application_s_old_procrastinate_is_named(
    world: World, database_url: str
) -> None:
    """It is not ours to migrate, and nothing could be delivered to it."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP TABLE automation_retry_procrastinate")
        connection.execute("DROP FUNCTION procrastinate_defer_jobs_v1")
    [problem] = await problems(world)

    assert problem.startswith("Procrastinate's tables are another application's and older than")


async def test_a_process_that_does_not_relay_needs_no_rights_for_it(
    database_url: str, role: str
) -> None:
    """The relay beside it may have a role of its own."""
    variables = {"DATABASE_URL": as_role(database_url, role), "AUTOMATION_RETRY_RELAY": "false"}
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"REVOKE DELETE ON automation_outbox FROM {role}")
    async with running_service(variables) as world:
        ready = await world.client.get("/readyz")

    assert ready.json() == {"data": {"status": "ready"}}


async def test_a_process_that_does_not_relay_needs_the_rights_to_hand_over(
    database_url: str, role: str
) -> None:
    """Its commits do; readiness says which right they lack, and until then retries are 503."""
    variables = {"DATABASE_URL": as_role(database_url, role), "AUTOMATION_RETRY_RELAY": "false"}
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"REVOKE INSERT ON procrastinate_jobs FROM {role}")
    async with running_service(variables) as world:
        [problem] = (await world.client.get("/readyz")).json()["error"]["details"]["problems"]

    assert problem.endswith(f"run: GRANT INSERT ON procrastinate_jobs TO {role};")


async def test_a_right_lost_meanwhile_is_an_outage(
    world: World, database_url: str, role: str
) -> None:
    """503, not 500 or 401; works again once it is granted."""
    async with running_service(
        {"DATABASE_URL": database_url, "AUTOMATION_RETRY_RELAY": "false"}
    ) as owner:
        execution = await owner.add(a_failed_execution(tenant=owner.tenant))
        key = await owner.key()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"REVOKE INSERT ON automation_outbox FROM {role}")
        refused = await world.retry(execution.execution_id, key)
        connection.execute(f"GRANT INSERT ON automation_outbox TO {role}")
    accepted = await world.retry(execution.execution_id, key)

    assert (refused.status_code, accepted.status_code) == (503, 200)
