"""Row-level security that hides keys or executions is told, not found as a 401 or 404."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from attrs import frozen
from structlog.testing import capture_logs

from tests.support.factories import a_failed_execution
from tests.support.postgres_server import PostgresServer
from tests.support.world import EXECUTIONS, World, running_service


@frozen
class Walled:
    """A service whose role is not the owner of the tables."""

    world: World
    url: str
    role: str
    key: str
    tenant: UUID
    """Of the key; it has one execution, of the same id."""

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.format(role=self.role).encode())

    async def ready(self) -> tuple[list[str], list[str]]:
        """Problems and warnings."""
        answer: dict[str, Any] = (await self.world.client.get("/readyz")).json()
        problems = answer.get("error", {}).get("details", {}).get("problems", [])
        return problems, answer.get("data", {}).get("warnings", [])


@pytest.fixture
def role(postgres_server: PostgresServer, database_url: str) -> Iterator[str]:
    name = f"app_{uuid4().hex}"
    postgres_server.execute(f"CREATE ROLE {name}")
    with psycopg.connect(database_url) as connection:
        for kind in ("TABLES", "SEQUENCES", "FUNCTIONS"):
            connection.execute(f"GRANT ALL ON ALL {kind} IN SCHEMA public TO {name}".encode())
    yield name
    with psycopg.connect(database_url) as connection:
        connection.execute(f"DROP OWNED BY {name}".encode())
    postgres_server.execute(f"DROP ROLE {name}")


@pytest.fixture
async def walled(database_url: str, role: str) -> AsyncIterator[Walled]:
    variables = {"DATABASE_URL": database_url, "AUTOMATION_RETRY_RELAY": "false"}
    async with running_service(variables) as owner:
        key = await owner.key()
        tenant = owner.tenant
        await owner.add(a_failed_execution(tenant=tenant, execution_id=tenant))
    variables["DATABASE_URL"] += f"&options=-c%20role%3D{role}"
    async with running_service(variables) as world:
        assert (await world.retry(tenant, key)).status_code == 200
        yield Walled(world, database_url, role, key, tenant)


@pytest.mark.parametrize(
    ("table", "denied"),
    [
        ("api_keys", "SELECT, UPDATE"),
        ("users", "SELECT"),
        ("permissions", "SELECT"),
        ("automation_executions", "SELECT, UPDATE"),
        ("automation_failed_attempts", "INSERT, SELECT"),
        ("automation_outbox", "INSERT, SELECT"),
        ("procrastinate_jobs", "INSERT, SELECT"),
        ("procrastinate_events", "INSERT"),
        ("automation_retry_migrations", "SELECT"),
        ("automation_retry_procrastinate", "SELECT"),
    ],
)
async def test_a_table_that_no_policy_opens_is_a_problem(
    walled: Walled, table: str, denied: str
) -> None:
    """503 with the statement that helps, and one log line; ready after it."""
    walled.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    with capture_logs() as lines:
        [problem], _ = await walled.ready()
        await walled.ready()
    walled.execute(f"CREATE POLICY automation_retry ON {table} TO {{role}} USING (true);")

    assert problem == (
        f"Row-level security denies {denied} on {table} to the role {walled.role}; run as a "
        f"superuser: ALTER ROLE {walled.role} BYPASSRLS; or, unless a policy is restrictive: "
        f"CREATE POLICY automation_retry ON {table} TO {walled.role} USING (true);"
    )
    assert [line["problems"] for line in lines if line["event"] == "not ready"] == [[problem]]
    assert await walled.ready() == ([], [])


@pytest.mark.parametrize(
    "condition",
    ["tenant = current_setting('app.tenant')::uuid", "current_user = 'nobody'"],
)
async def test_policies_that_hide_all_rows_are_a_problem(walled: Walled, condition: str) -> None:
    """As those that wall tenants by a setting that this service does not make."""
    walled.execute(
        "ALTER TABLE automation_executions ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY tenants ON automation_executions USING ({condition})",
    )
    [problem], _ = await walled.ready()

    assert problem.startswith("Row-level security hides all rows of automation_executions from")


@pytest.mark.parametrize(
    "policies",
    [
        ["FOR SELECT USING (true)"],
        ["FOR SELECT USING (true)", "FOR UPDATE USING (false)"],
        ["FOR SELECT USING (true)", "FOR UPDATE USING (true) WITH CHECK (false)"],
        ["USING (true)", "AS RESTRICTIVE FOR UPDATE USING (false)"],
    ],
)
async def test_a_command_that_no_policy_permits_is_a_problem(
    walled: Walled, policies: list[str]
) -> None:
    """The rows are seen, but a retry could not change them."""
    walled.execute(
        "ALTER TABLE automation_executions ENABLE ROW LEVEL SECURITY",
        *[
            f"CREATE POLICY number_{number} ON automation_executions {policy}"
            for number, policy in enumerate(policies)
        ],
    )
    [problem], _ = await walled.ready()

    assert problem.startswith("Row-level security denies UPDATE on automation_executions to")


@pytest.mark.parametrize(("table", "status"), [("api_keys", 401), ("automation_executions", 404)])
async def test_the_remedy_helps_at_once(walled: Walled, table: str, status: int) -> None:
    """Plans of before, which know the old policies, are not used any more."""
    walled.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    path = f"{EXECUTIONS}/{walled.tenant}"
    hidden = [await walled.world.get(path, walled.key) for _ in range(12)]
    [problem], _ = await walled.ready()
    walled.execute(problem.partition("as a superuser: ")[2].partition(";")[0])
    assert await walled.ready() == ([], [])
    reads = [await walled.world.get(path, walled.key) for _ in range(9)]

    assert {answer.status_code for answer in hidden} == {status}
    assert {answer.status_code for answer in reads} == {200}


@pytest.mark.parametrize(
    ("policies", "commands"),
    [
        (
            ["CREATE POLICY certain ON {table} USING (execution_id <> tenant OR true)"],
            "SELECT, UPDATE",
        ),
        (
            [
                "CREATE POLICY all_of ON {table} USING (true)",
                "CREATE POLICY wall ON {table} AS RESTRICTIVE USING (retry_count >= 0)",
            ],
            "SELECT, UPDATE",
        ),
        (
            [
                "CREATE POLICY reads ON {table} FOR SELECT USING (true)",
                (
                    "CREATE POLICY writes ON {table} FOR UPDATE USING (true)"
                    " WITH CHECK (retry_count > 9)"
                ),
            ],
            "UPDATE",
        ),
    ],
)
async def test_what_may_be_hidden_is_a_warning(
    walled: Walled, policies: list[str], commands: str
) -> None:
    """A policy may let pass all that matters, so retries are not refused for it."""
    table = "automation_executions"
    walled.execute(
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        *[policy.replace("{table}", table) for policy in policies],
    )
    with capture_logs() as lines:
        problems, [warning] = await walled.ready()
        await walled.ready()

    assert not problems
    assert warning.startswith(
        f"Row-level security may restrict {commands} on {table} for the role {walled.role}; run "
        "as a superuser: "
    )
    assert len([line for line in lines if line["event"] == "ready with warnings"]) == 1


@pytest.mark.parametrize(
    "policies",
    [
        ["CREATE POLICY all_of ON {table} USING (true)"],
        ["CREATE POLICY all_of ON {table} TO {{role}} USING (true) WITH CHECK (true)"],
        [
            "CREATE POLICY reads ON {table} FOR SELECT USING (true)",
            "CREATE POLICY writes ON {table} FOR UPDATE USING (true)",
            "CREATE POLICY wall ON {table} AS RESTRICTIVE USING (true)",
            "CREATE POLICY others ON {table} AS RESTRICTIVE TO CURRENT_USER USING (false)",
        ],
    ],
)
async def test_policies_that_hide_nothing_are_not_mentioned(
    walled: Walled, policies: list[str]
) -> None:
    """Ready, without warnings; those of other roles do not count."""
    table = "automation_executions"
    walled.execute(
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        *[policy.replace("{table}", table).replace("{{role}}", "{role}") for policy in policies],
    )

    assert await walled.ready() == ([], [])


async def test_a_role_that_switched_it_off(walled: Walled, postgres_server: PostgresServer) -> None:
    """PostgreSQL then refuses statements instead of hiding rows, whatever the policies say."""
    walled.execute(
        "ALTER TABLE automation_executions ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY all_of ON automation_executions USING (true)",
    )
    with psycopg.connect(walled.url) as connection:
        name = connection.info.dbname
    postgres_server.execute(f'ALTER DATABASE "{name}" SET row_security = off')
    await walled.world.container.database().renew()
    [problem], _ = await walled.ready()

    assert problem.startswith(f"The session of the role {walled.role} has row_security = off")


async def test_owners_are_not_restricted(postgres_world: World, database_url: str) -> None:
    """Unless the table says so."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY")

    assert (await postgres_world.client.get("/readyz")).json() == {"data": {"status": "ready"}}
