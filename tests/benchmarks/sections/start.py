"""How long it takes from the command to the first 200, and how much memory that takes."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from itertools import count

from tests.benchmarks.arena import API_KEY, Arena, Arenas
from tests.benchmarks.companion import Companion
from tests.benchmarks.contenders import names
from tests.benchmarks.contenders.over_http import (
    OverHttp,
    fastapi_sqlalchemy,
    flat_script,
    service,
    service_command,
)
from tests.benchmarks.failed_rows import execution_id
from tests.benchmarks.load import HOST
from tests.benchmarks.measured import Spread
from tests.benchmarks.plan import Plan
from tests.benchmarks.processes import ServerProcess, serving
from tests.benchmarks.progress import tell
from tests.benchmarks.results import StartUp
from tests.support.postgres_server import private_folder
from tests.support.server_process import free_port

_Start = Callable[[], ServerProcess]

_READY = ("GET", "/readyz")
_RETRY = ("POST", f"/api/v1/automation/executions/{execution_id(1)}/retry")


def measure(arenas: Arenas, plan: Plan, load: Companion) -> list[StartUp]:
    """The service on each storage, and the peers on PostgreSQL, the only one they have."""
    arena = arenas.new()
    with private_folder() as folder:
        new_folders = (folder / str(number) for number in count())
        known = folder / "known"
        serve = service_command(plan.service)
        _serve(serve, f"embedded:{known}")
        ways: dict[str, _Start] = {
            f"{names.SERVICE}, postgresql:": lambda: _retry(service(load, plan.service), arena),
            f"{names.FLAT}, postgresql:": lambda: _retry(flat_script(load), arena),
            f"{names.FASTAPI}, postgresql:": lambda: _retry(fastapi_sqlalchemy(load), arena),
            f"{names.SERVICE}, memory:": lambda: _serve(serve, "memory:"),
            f"{names.SERVICE}, embedded:, again": lambda: _serve(serve, f"embedded:{known}"),
            f"{names.SERVICE}, embedded:, new": lambda: _serve(
                serve, f"embedded:{next(new_folders)}"
            ),
        }
        started: dict[str, list[ServerProcess]] = {what: [] for what in ways}
        for number in range(plan.starts):
            tell(f"start, round {number + 1} of {plan.starts}")
            for what, start in ways.items():
                started[what].append(start())
    arenas.drop(arena)
    return [
        StartUp(
            what=what,
            seconds=Spread(one.ready_after_s for one in servers),
            rss_mib=Spread(one.rss_when_ready_mib for one in servers),
        )
        for what, servers in started.items()
    ]


def _serve(command: Callable[[int], Sequence[str]], url: str) -> ServerProcess:
    """Starts the service, and ends it once it says that it is ready."""
    port = free_port()
    variables = {"DATABASE_URL": url}
    with serving(command(port), variables, lambda: _is_200(port, *_READY)) as server:
        return server


def _retry(contender: OverHttp, arena: Arena) -> ServerProcess:
    """Starts a contender, and ends it once it has made a retry."""
    arena.reset(1)
    with contender.served(arena, lambda port: _is_200(port, *_RETRY)) as (server, _):
        return server


def _is_200(port: int, method: str, path: str) -> bool:
    connection = HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request(method, path, headers={"x-api-key": API_KEY, "content-length": "0"})
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
