"""Idempotency records of the version before, and those that it may read."""

from typing import Any
from uuid import uuid4

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.support.factories import a_failed_execution
from tests.support.world import World

ADD_RECORD = """
INSERT INTO automation_idempotency_keys (tenant, caller, key, retried_at, execution_id, execution)
SELECT tenant, api_key_id, 'k', now(), %(execution_id)s, %(execution)s FROM api_keys
"""
PAYLOADS: dict[str, Any] = {
    "trigger_data": {"n": 1.5},
    "execution_context": {},
    "logs": [{"level": "info", "message": "m"}],
}


def old_record(world: World, execution_id: object) -> dict[str, Any]:
    """As the version before wrote it: with all fields, and log entries in full."""
    entry = {"timestamp": None, "action_index": None, "metadata": None}
    return {
        "tenant": str(world.tenant),
        "execution_id": str(execution_id),
        "automation_rule_id": str(uuid4()),
        "status": "pending",
        "started_at": "2026-11-23T13:00:00.654321Z",
        "completed_at": None,
        "duration_ms": None,
        "actions_total": 4,
        "actions_successful": 0,
        "actions_failed": 0,
        "error_message": None,
        "error_stack": None,
        "failed_action_index": None,
        "retry_count": 1,
        **PAYLOADS,
        "logs": [{**PAYLOADS["logs"][0], **entry}],
    }


async def test_a_record_of_the_version_before_is_replayed(
    postgres_world: World, database_url: str
) -> None:
    """With its own values."""
    world, execution_id = postgres_world, uuid4()
    key = await world.key()
    record = old_record(world, execution_id)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(ADD_RECORD, {"execution_id": execution_id, "execution": Jsonb(record)})

    answer = await world.retry(execution_id, key, idempotency_key="k")

    data = answer.json()["data"]
    assert answer.status_code == 200
    assert answer.headers["idempotent-replayed"] == "true"
    assert {name: data[name] for name in record} == record


async def test_the_version_before_can_read_a_record(
    postgres_world: World, database_url: str
) -> None:
    """It needs these fields, expects objects and an array, and ignores what it does not know."""
    world = postgres_world
    failed = await world.add(a_failed_execution(tenant=world.tenant, **PAYLOADS | {"logs": ()}))
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("UPDATE automation_executions SET execution_context = NULL")
        await world.retry(failed.execution_id, await world.key(), idempotency_key="k")
        [row] = connection.execute("SELECT execution FROM automation_idempotency_keys").fetchall()

    record = row["execution"]
    required = {
        "tenant": str(world.tenant),
        "execution_id": str(failed.execution_id),
        "automation_rule_id": str(failed.automation_rule_id),
        "status": "pending",
        "actions_total": 4,
        "retry_count": 1,
        "trigger_data": {"n": 1.5},
        "logs": [],
    }
    assert record.items() >= required.items()
    assert isinstance(record["started_at"], str)
    assert None not in record.values()
    assert "execution_context" not in record
