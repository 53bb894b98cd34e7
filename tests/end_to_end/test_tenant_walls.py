"""No tenant notices another one: every route, role and state, alone and beside neighbours.

The requests follow from the route table; see `tests/support/walls`.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack

import pytest

from automation_retry.domain import Permission
from automation_retry.entrypoints.http.endpoint import Endpoint, ProtectedEndpoint
from tests.support.postgres_server import PostgresServer
from tests.support.walls.observation import Observation, Seen, observed
from tests.support.walls.resources import Whose, parameters
from tests.support.walls.service import Answer, site
from tests.support.walls.tenants import ACTING, LOWER, NEIGHBOURS, NO_KEY, UPPER
from tests.conftest import TEMPLATE


@pytest.fixture(scope="module", params=["memory", "postgres"])
async def walls(request: pytest.FixtureRequest) -> Observation:
    """All requests, sent once; the tests look at what came of them."""
    if request.param == "memory":
        urls = ["memory:", "memory:"]
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        urls = [server.new_database(TEMPLATE) for _ in range(2)]
    async with (
        site(urls[0], [ACTING]) as alone,
        site(urls[1], [LOWER, ACTING, UPPER]) as beside,
    ):
        return await observed(alone, beside)


def test_a(walls: Observation) -> None:
    from collections import Counter
    print(len(walls.all), Counter((s.call.row.path, s.call.role.name, s.alone.status) for s in walls.all))
    assert 0
