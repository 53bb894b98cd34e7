"""PostgreSQL stops under a running service and is started again."""

import asyncio

import httpx

from automation_retry.adapters.embedded import EmbeddedPostgres
from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.factories import a_failed_execution
from tests.support.postgres_server import private_folder
from tests.support.world import World, running_service


async def test_a_restart_of_postgresql_needs_no_restart_of_the_service() -> None:
    """503 with Retry-After while it is down, 200 when it is back; nothing half done."""
    with private_folder() as folder:
        server = EmbeddedPostgres(folder / "postgres")
        url = await asyncio.to_thread(server.start)
        variables = {
            "DATABASE_URL": url,
            "AUTOMATION_RETRY_RELAY": "false",
            "AUTOMATION_RETRY_POOL_TIMEOUT_MS": "500",
        }
        try:
            await migrate_database(read_settings(variables))
            async with running_service(variables) as world:
                await _stop_and_start(server, world)
        finally:
            await asyncio.to_thread(server.stop)


async def _stop_and_start(server: EmbeddedPostgres, world: World) -> None:
    first, second = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(2)]
    key = await world.key()
    before = await world.retry(first.execution_id, key)
    # Several connections in the pool, all of which become stale.
    await asyncio.gather(*[world.retry(first.execution_id, key) for _ in range(20)])

    await asyncio.to_thread(server.stop)
    down = await world.retry(second.execution_id, key)
    not_ready = await world.client.get("/readyz")
    alive = await world.client.get("/healthz")
    await asyncio.to_thread(server.start)
    back = await _when_available(world, second.execution_id, key)
    ready = await world.client.get("/readyz")

    assert before.status_code == 200
    assert down.status_code == 503
    assert down.headers["retry-after"] == "1"
    assert down.json() == {
        "error": {
            "code": "SERVICE_UNAVAILABLE",
            "message": "The service is temporarily unavailable",
        }
    }
    assert not_ready.status_code == 503
    [problem] = not_ready.json()["error"]["details"]["problems"]
    assert problem.startswith("No connection to PostgreSQL can be opened: ")
    assert alive.status_code == 200
    assert back.status_code == 200
    assert back.json()["data"]["retry_count"] == 1
    assert ready.status_code == 200


async def _when_available(world: World, execution_id: object, key: str) -> httpx.Response:
    """Repeats the request as Retry-After says."""
    async with asyncio.timeout(60):
        while True:
            answer = await world.retry(execution_id, key)
            if answer.status_code != 503:
                return answer
            await asyncio.sleep(float(answer.headers["retry-after"]))
