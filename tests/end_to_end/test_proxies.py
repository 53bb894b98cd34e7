"""The service behind a proxy: a path prefix, and the addresses of clients."""

from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from automation_retry.entrypoints.settings import SettingsError, read_settings
from tests.support.factories import a_failed_execution
from tests.support.world import EXECUTIONS, World, running_service, with_key

MEMORY = {"DATABASE_URL": "memory:"}


@pytest.mark.parametrize("prefix_in_path", ["/psa", ""])
async def test_links_begin_with_the_path_of_the_proxy(prefix_in_path: str) -> None:
    """Whether the proxy passes it on or removes it."""
    async with running_service({**MEMORY, "AUTOMATION_RETRY_ROOT_PATH": "/psa/"}) as world:
        execution = await world.add(a_failed_execution(tenant=world.tenant))
        url = f"{prefix_in_path}{EXECUTIONS}/{execution.execution_id}"
        key = await world.key()
        seen = (await world.get(url, key)).json()["data"]["_links"]
        answer = await world.client.post(f"{url}/retry", headers=with_key(key, {}))
        attempts = await world.get(f"{url}/attempts", key)
        ready = await world.get(f"{prefix_in_path}/healthz", None)

    link = f"/psa{EXECUTIONS}/{execution.execution_id}"
    rule = f"/psa/api/v1/automation/rules/{execution.automation_rule_id}"
    collection = f"/psa{EXECUTIONS}"
    assert seen == {
        "self": link,
        "collection": collection,
        "rule": rule,
        "retry": f"{link}/retry",
    }
    assert answer.json()["data"]["_links"] == {"execution": link, "rule": rule}
    assert (attempts.status_code, ready.status_code) == (200, 200)


@pytest.mark.parametrize("passed_on", [True, False])
@pytest.mark.parametrize("prefix", ["/api", "/api/v1", "/docs"])
async def test_a_prefix_may_be_the_beginning_of_a_route(*, prefix: str, passed_on: bool) -> None:
    """A path that is a route as it stands is not shortened."""
    async with running_service({**MEMORY, "AUTOMATION_RETRY_ROOT_PATH": prefix}) as world:
        execution = await world.add(a_failed_execution(tenant=world.tenant))
        path = f"{EXECUTIONS}/{execution.execution_id}"
        before = prefix if passed_on else ""
        seen = await world.get(f"{before}{path}", await world.key())
        page = await world.get(f"{before}/docs", None)

    assert (seen.status_code, page.status_code) == (200, 200)
    assert seen.json()["data"]["_links"]["self"] == f"{prefix}{path}"


async def clients(world: World, headers: Mapping[str, str]) -> list[Any]:
    with capture_logs() as lines:
        await world.client.get("/nothing", headers=headers)
    return [line["client"] for line in lines if line["event"] == "request"]


@pytest.mark.parametrize(
    ("trusted", "forwarded", "client"),
    [
        ("", "203.0.113.7", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.0/8, 10.0.0.0/8", "203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("127.0.0.1", "203.0.113.7, 10.1.2.3", "10.1.2.3"),
        ("*", "203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7", "127.0.0.1"),
        ("127.0.0.1", "forged text", None),
    ],
)
async def test_the_log_has_the_address_of_the_client(
    trusted: str, forwarded: str, client: str | None
) -> None:
    """As proxies that are trusted forward it; from anybody else it could be forged."""
    variables = {**MEMORY, "AUTOMATION_RETRY_TRUSTED_PROXIES": trusted}
    async with running_service(variables) as world:
        seen = await clients(world, {"x-forwarded-for": forwarded})

    assert seen == [client]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRUSTED_PROXIES", "proxy.example"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("ROOT_PATH", "psa"),
        ("ROOT_PATH", "/psa?x"),
    ],
)
def test_wrong_settings_are_told(name: str, value: str) -> None:
    """A name would have to be resolved for each request."""
    with pytest.raises(SettingsError, match=f"^AUTOMATION_RETRY_{name}: must be"):
        read_settings({**MEMORY, f"AUTOMATION_RETRY_{name}": value})
