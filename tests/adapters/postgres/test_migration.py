"""Migrating: empty databases, AlgaPSA's, and several at once."""

import asyncio
from datetime import UTC, datetime
from typing import LiteralString
from uuid import UUID, uuid4

import psycopg

from automation_retry.adapters.api_keys import digest
from automation_retry.entrypoints.lifecycle import migrate_database, open_container
from automation_retry.entrypoints.settings import Settings, read_settings
from tests.support.indexes import INDEXES
from tests.support.world import EXECUTIONS, running_service

OURS = [
    "0001_identity",
    "0002_executions",
    "0003_idempotency_keys",
    "0004_outbox_key",
    "0005_delivery_status",
    "0006_rows_as_they_are",
    "0007_failure_groups",
    "0008_bulk_retry",
]

# As AlgaPSA creates them: with foreign keys, and with columns that this service does not know.
ALGAPSA: LiteralString = """
CREATE TABLE tenants (
    tenant uuid PRIMARY KEY, company_name text NOT NULL, email text NOT NULL, plan text
);
CREATE TABLE users (
    tenant uuid NOT NULL REFERENCES tenants, user_id uuid NOT NULL DEFAULT gen_random_uuid(),
    username text NOT NULL, hashed_password text NOT NULL, email text, first_name text,
    last_name text, is_inactive boolean DEFAULT false, two_factor_enabled boolean,
    PRIMARY KEY (user_id, tenant), UNIQUE (tenant, user_id)
);
CREATE TABLE roles (
    tenant uuid NOT NULL REFERENCES tenants, role_id uuid NOT NULL, role_name text NOT NULL,
    description text, PRIMARY KEY (tenant, role_id)
);
CREATE TABLE user_roles (
    tenant uuid NOT NULL, user_id uuid NOT NULL, role_id uuid NOT NULL,
    PRIMARY KEY (tenant, user_id, role_id),
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, user_id),
    FOREIGN KEY (tenant, role_id) REFERENCES roles (tenant, role_id)
);
CREATE TABLE permissions (
    tenant uuid NOT NULL REFERENCES tenants, permission_id uuid NOT NULL, resource text NOT NULL,
    action text NOT NULL, PRIMARY KEY (tenant, permission_id)
);
CREATE TABLE role_permissions (
    tenant uuid NOT NULL, role_id uuid NOT NULL, permission_id uuid NOT NULL,
    PRIMARY KEY (tenant, role_id, permission_id),
    FOREIGN KEY (tenant, role_id) REFERENCES roles (tenant, role_id),
    FOREIGN KEY (tenant, permission_id) REFERENCES permissions (tenant, permission_id)
);
CREATE TABLE api_keys (
    tenant uuid NOT NULL REFERENCES tenants, api_key_id uuid NOT NULL DEFAULT gen_random_uuid(),
    api_key text NOT NULL, user_id uuid NOT NULL, description text, active boolean DEFAULT true,
    created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
    last_used_at timestamptz, expires_at timestamptz, purpose text, metadata jsonb,
    usage_limit integer, usage_count integer DEFAULT 0,
    PRIMARY KEY (tenant, api_key_id),
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, user_id)
);
"""

# As somebody may have created it: other types where AlgaPSA's documentation leaves a choice, NULLs,
# and no retry_count.
FOREIGN_EXECUTIONS: LiteralString = """
CREATE TABLE automation_executions (
    tenant uuid NOT NULL, execution_id uuid NOT NULL, automation_rule_id uuid NOT NULL,
    trigger_data jsonb, status varchar(20) NOT NULL, started_at timestamptz NOT NULL,
    completed_at timestamptz, duration_ms numeric, actions_total integer NOT NULL,
    actions_successful integer, actions_failed integer, error_message text, error_stack text,
    failed_action_index integer, execution_context jsonb, logs jsonb,
    PRIMARY KEY (tenant, execution_id)
);
"""


def settings_for(url: str) -> Settings:
    return read_settings({"DATABASE_URL": url, "AUTOMATION_RETRY_RELAY": "false"})


def fill(url: str, key: str) -> tuple[UUID, UUID]:
    """Adds a tenant with a user, a key and a failed execution; returns (tenant, execution)."""
    tenant, user, role, permission, execution = (uuid4() for _ in range(5))
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO tenants VALUES (%s, 'Contoso', 'it@contoso')", (tenant,))
        connection.execute(
            "INSERT INTO users (tenant, user_id, username, hashed_password)"
            " VALUES (%s, %s, 'ada', '$2b$10$x')",
            (tenant, user),
        )
        connection.execute("INSERT INTO roles VALUES (%s, %s, 'Admin')", (tenant, role))
        connection.execute("INSERT INTO user_roles VALUES (%s, %s, %s)", (tenant, user, role))
        connection.execute(
            "INSERT INTO permissions VALUES (%s, %s, 'automation', 'execute')", (tenant, permission)
        )
        connection.execute(
            "INSERT INTO role_permissions VALUES (%s, %s, %s)", (tenant, role, permission)
        )
        connection.execute(
            "INSERT INTO api_keys (tenant, api_key, user_id) VALUES (%s, %s, %s)",
            (tenant, digest(key), user),
        )
        connection.execute(
            "INSERT INTO automation_executions (tenant, execution_id, automation_rule_id, status,"
            " started_at, completed_at, duration_ms, actions_total, error_message)"
            " VALUES (%s, %s, %s, 'failed', %s, now(), 1234.5678, 3, 'old error')",
            (tenant, execution, uuid4(), datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)),
        )
    return tenant, execution


async def test_an_empty_database_gets_everything_once(empty_database_url: str) -> None:
    """The first migration applies all, the second nothing; then the service is ready."""
    settings = settings_for(empty_database_url)

    first = await migrate_database(settings)
    second = await migrate_database(settings)

    async with open_container(settings) as container:
        assert not (await container.readiness()()).problems
    assert first == [*OURS, *INDEXES, "procrastinate"]
    assert second == []


async def test_several_processes_may_migrate_at_once(empty_database_url: str) -> None:
    """Each migration is applied by one of them."""
    settings = settings_for(empty_database_url)

    applied = await asyncio.gather(*[migrate_database(settings) for _ in range(4)])

    names = sorted(name for names in applied for name in names)
    assert names == sorted([*OURS, *INDEXES, "procrastinate"])


async def test_a_database_that_is_not_migrated_is_not_ready(empty_database_url: str) -> None:
    """Readiness names what is missing and the command that creates it."""
    async with open_container(settings_for(empty_database_url)) as container:
        problems = (await container.readiness()()).problems

    assert problems == [
        (f"The database lacks {', '.join(OURS)}, procrastinate; run `automation-retry migrate`.")
    ]


async def test_an_algapsa_database_works_unchanged(empty_database_url: str) -> None:
    """Its tables and rows stay; a key made there retries an execution that was there."""
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(ALGAPSA)
        connection.execute(FOREIGN_EXECUTIONS)
    tenant, execution = fill(empty_database_url, "alga-key")
    with psycopg.connect(empty_database_url) as connection:
        before = connection.execute("SELECT * FROM users").fetchall()

    await migrate_database(settings_for(empty_database_url))
    variables = {"DATABASE_URL": empty_database_url}
    async with running_service(variables) as world:
        answer = await world.retry(execution, "alga-key", x_tenant_id=str(tenant))

    with psycopg.connect(empty_database_url) as connection:
        after = connection.execute("SELECT * FROM users").fetchall()
        archived = connection.execute(
            "SELECT attempt, error_message, duration_ms, started_at FROM automation_failed_attempts"
        ).fetchall()
    assert answer.status_code == 200
    assert answer.json()["data"]["retry_count"] == 1
    assert answer.json()["data"]["logs"] is None
    assert answer.json()["data"]["_links"]["execution"] == f"{EXECUTIONS}/{execution}"
    assert archived == [
        (1, "old error", 1234.5678, datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC))
    ]
    assert after == before


async def test_procrastinate_tables_of_others_stay_as_they_are(empty_database_url: str) -> None:
    """A Procrastinate that is installed already is used and not changed."""
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE procrastinate_jobs (id bigint, theirs text)")

    applied = await migrate_database(settings_for(empty_database_url))

    with psycopg.connect(empty_database_url) as connection:
        columns = connection.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_name = 'procrastinate_jobs' ORDER BY 1"
        ).fetchall()
    assert applied == [*OURS, *INDEXES]
    assert columns == [("id",), ("theirs",)]
