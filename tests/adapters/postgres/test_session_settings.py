"""Settings of a role or a database change no answer."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.factories import a_failed_execution
from tests.support.postgres_server import PostgresServer
from tests.support.world import EXECUTIONS, World, running_service

TENANT = UUID("11111111-1111-4111-8111-111111111111")
EXECUTION = UUID("22222222-2222-4222-8222-222222222222")
RULE = UUID("33333333-3333-4333-8333-333333333333")
CHANGES = {"started_at", "retried_at", "retried_by", "api_key_id", "request_id"}
ISOLATION = "read committed"
SETTINGS = {
    "datestyle": "'SQL, DMY'",
    "intervalstyle": "sql_standard",
    "extra_float_digits": "-15",
    "timezone": "'Asia/Kolkata'",
    "client_encoding": "LATIN1",
    "default_transaction_isolation": "serializable",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "lc_numeric": "'C.UTF-8'",
}
# Durations in JSON that PostgreSQL makes have as many digits as the session says.
KEEPS_DURATION = """
CREATE FUNCTION keep_duration() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.duration_ms := OLD.duration_ms; RETURN NEW; END $$;
CREATE TRIGGER keep_duration BEFORE UPDATE ON automation_executions
    FOR EACH ROW EXECUTE FUNCTION keep_duration();
"""


async def answers(url: str) -> Mapping[str, Any]:
    """What a retry and reads answer, without what differs each time."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(KEEPS_DURATION)
    variables = {"DATABASE_URL": url, "AUTOMATION_RETRY_RELAY": "false"}
    async with running_service(variables) as world:
        await world.add(
            a_failed_execution(
                tenant=TENANT,
                execution_id=EXECUTION,
                automation_rule_id=RULE,
                duration_ms=2750.1234567891,
                error_message="Größe ✓ \\ 'quoted'",
            )
        )
        return await _answers(world)


async def _answers(world: World) -> Mapping[str, Any]:
    key = await world.key(tenant=TENANT)
    path = f"{EXECUTIONS}/{EXECUTION}"
    found = {
        "before": await world.get(path, key),
        "retry": await world.retry(EXECUTION, key, idempotency_key="ключ".encode().hex()),
        "replay": await world.retry(EXECUTION, key, idempotency_key="ключ".encode().hex()),
        "again": await world.retry(EXECUTION, key),
        "after": await world.get(path, key),
        "attempts": await world.get(f"{path}/attempts", key),
        "ready": await world.client.get("/readyz"),
    }
    assert found["retry"].json()["data"] == found["replay"].json()["data"]
    return {name: (one.status_code, _fixed(one.json())) for name, one in found.items()}


def _fixed(value: Any) -> Any:
    if isinstance(value, list):
        return [_fixed(one) for one in value]
    if isinstance(value, dict):
        return {
            name: len(str(one)) if name in CHANGES else _fixed(one) for name, one in value.items()
        }
    return value


@pytest.mark.parametrize("scope", ["DATABASE", "ROLE"])
async def test_answers_are_the_same_under_any_settings(
    postgres_server: PostgresServer, scope: str
) -> None:
    """Those of times, numbers, texts and isolation, all at once."""
    plain, changed = [postgres_server.new_database("migrated") for _ in range(2)]
    expected = await answers(plain)
    with psycopg.connect(changed) as connection:
        name = connection.info.dbname if scope == "DATABASE" else connection.info.user
    for setting, value in SETTINGS.items():
        postgres_server.execute(f'ALTER {scope} "{name}" SET {setting} = {value}')
    try:
        found = await answers(changed)
    finally:
        postgres_server.execute(f'ALTER {scope} "{name}" RESET ALL')

    assert expected["retry"][0] == 200
    assert found == expected


async def test_time_limits_of_a_role_are_not_ours(
    postgres_server: PostgresServer, database_url: str
) -> None:
    """Those that end sessions or transactions would end requests."""
    with psycopg.connect(database_url) as connection:
        name = connection.info.dbname
    for setting in ("idle_session_timeout", "transaction_timeout", "statement_timeout"):
        postgres_server.execute(f"ALTER DATABASE \"{name}\" SET {setting} = '300ms'")
    variables = {"DATABASE_URL": database_url, "AUTOMATION_RETRY_RELAY": "false"}
    async with running_service(variables) as world:
        key = await world.key()
        executions = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(4)]
        locking = await psycopg.AsyncConnection.connect(
            f"{database_url}&options=-cidle_session_timeout%3D0%20-ctransaction_timeout%3D0"
        )
        async with locking:
            await locking.execute("SELECT FROM automation_executions FOR UPDATE")
            waiting = asyncio.gather(*[world.retry(one.execution_id, key) for one in executions])
            await asyncio.sleep(0.7)
        answers = await waiting
        await asyncio.sleep(0.5)
        later = await world.get(f"{EXECUTIONS}/{executions[0].execution_id}", key)

    assert [answer.status_code for answer in answers] == [200] * 4
    assert later.status_code == 200


async def test_sessions_that_the_server_ended(postgres_world: World) -> None:
    """For their age: the next request gets another one."""
    world = postgres_world
    key = await world.key()
    execution = await world.add(a_failed_execution(tenant=world.tenant))
    for _ in range(10):
        async with world.container.database().connection() as connection:
            await connection.execute("SET idle_session_timeout = '200ms'")
    await asyncio.sleep(0.6)
    answer = await world.retry(execution.execution_id, key)

    assert answer.status_code == 200


async def test_options_of_the_url_keep_ours(
    postgres_server: PostgresServer, database_url: str
) -> None:
    """Theirs win; what they do not name has our defaults, whatever the database says."""
    with psycopg.connect(database_url) as connection:
        name = connection.info.dbname
    postgres_server.execute(
        f'ALTER DATABASE "{name}" SET default_transaction_isolation = serializable'
    )
    options = "options=-c%20lock_timeout%3D1234%20-c%20work_mem%3D8MB"
    async with running_service({"DATABASE_URL": f"{database_url}&{options}"}) as world:
        [row] = await world.container.database().fetch(
            "SELECT current_setting('lock_timeout') AS theirs,"
            " current_setting('work_mem') AS also_theirs,"
            " current_setting('idle_in_transaction_session_timeout') AS ours,"
            " current_setting('default_transaction_isolation') AS ours_too",
            {},
        )

    assert row == {"theirs": "1234ms", "also_theirs": "8MB", "ours": "1min", "ours_too": ISOLATION}
