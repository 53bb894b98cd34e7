"""Each route declares what it needs in one table, and one place enforces it."""

import re
from typing import Any
from uuid import uuid4

import pytest

from automation_retry.adapters.memory import memory_storage
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, Permission
from automation_retry.entrypoints.http.app import create_app, route_table
from automation_retry.entrypoints.http.endpoint import Endpoint, ExactRoute, ProtectedEndpoint
from tests.entrypoints.http.conftest import Service, new_api
from tests.support.factories import NOON

API = new_api(memory_storage(lambda: NOON, uuid4))
TABLE = route_table(API)
PROTECTED = [one for one in TABLE if isinstance(one, ProtectedEndpoint)]
ANY = str(uuid4())


def a_request(endpoint: ProtectedEndpoint, key: str | None = None) -> dict[str, Any]:
    """A valid request of the route, about something that does not exist."""
    return {
        "method": endpoint.method,
        "url": re.sub(r"{\w+}", ANY, endpoint.path),
        "headers": {} if key is None else {"x-api-key": key},
        "json": endpoint.body_example,
    }


def named(endpoint: ProtectedEndpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def test_every_route_is_a_row_of_the_table() -> None:
    """Nothing is served that the table does not name."""
    served = []
    for route in create_app(API).routes:
        assert isinstance(route, ExactRoute)
        served.append((route.path, (route.methods or set()) - {"HEAD"}))

    assert served == [(one.path, {one.method}) for one in TABLE]


def test_only_health_and_documentation_are_public() -> None:
    """Every other route needs an API key."""
    public = {one.path for one in TABLE if not one.protected}
    pages = {path for path in public if path.startswith("/docs/")}

    assert public - pages == {"/healthz", "/readyz", "/openapi.json", "/asyncapi.json", "/docs"}


@pytest.mark.parametrize("endpoint", TABLE, ids=lambda one: f"{one.method} {one.path}")
def test_every_part_of_a_path_is_described(endpoint: Endpoint) -> None:
    """By its name."""
    names = re.findall(r"{(\w+)}", endpoint.path)

    assert [one.name for one in endpoint.path_parameters] == names


@pytest.mark.parametrize("endpoint", PROTECTED, ids=named)
async def test_a_protected_route_needs_a_key(service: Service, endpoint: ProtectedEndpoint) -> None:
    """401 without one."""
    answer = await service.client.request(**a_request(endpoint))

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("endpoint", "permission"), [(one, one.permission) for one in PROTECTED if one.permission]
)
async def test_a_protected_route_needs_its_permission(
    service: Service, endpoint: ProtectedEndpoint, permission: Permission
) -> None:
    """403 for a key that has every permission but this one, and not for one that has only this."""
    others = {AUTOMATION_EXECUTE, AUTOMATION_READ} - {permission}
    lacking = await service.new_key("lacking", frozenset(others))
    only = await service.new_key("only", frozenset({permission}))

    refused = await service.client.request(**a_request(endpoint, lacking))
    admitted = await service.client.request(**a_request(endpoint, only))

    assert refused.status_code == 403
    assert permission.action in refused.json()["error"]["message"]
    assert admitted.status_code not in {401, 403}


async def test_any_key_may_ask_who_it_is(service: Service) -> None:
    """The only protected route without a permission."""
    [endpoint] = [one for one in PROTECTED if one.permission is None]

    answer = await service.client.request(**a_request(endpoint, service.outsiders_key))

    assert endpoint.path == "/api/v1/automation/me"
    assert answer.status_code == 200
