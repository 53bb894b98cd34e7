"""Contenders that are servers, under load from another process."""

import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any, Final

import orjson
from attrs import field, frozen

from tests.benchmarks.arena import API_KEY, Arena
from tests.benchmarks.companion import Companion
from tests.benchmarks.contenders import names
from tests.benchmarks.contenders.contender import Contender, Heat, Measured
from tests.benchmarks.failed_rows import execution_id
from tests.benchmarks.load import HOST
from tests.benchmarks.processes import ServerProcess, serving
from tests.benchmarks.same_work import require_same_answer
from tests.support.server_process import free_port
from tests.support.without_delivery import WITHOUT_DELIVERY

_WORKERS: Final = 4


def service_command(command: str, *options: str) -> Callable[[int], Sequence[str]]:
    """The service as it is shipped, on a port."""
    return lambda port: [command, "serve", "--port", str(port), *options]


def _script(module: str) -> Callable[[int], Sequence[str]]:
    return lambda port: [sys.executable, "-m", f"tests.benchmarks.peers.{module}", str(port)]


@frozen
class OverHttp(Contender):
    name: str
    load: Companion
    command: Callable[[int], Sequence[str]]
    variables: Mapping[str, str] = field(factory=dict)
    delivers: bool = False
    at_most = 5_000

    @contextmanager
    def running(self, arena: Arena) -> Iterator[Callable[[Heat], Measured]]:
        with self.served(arena) as (server, port):
            arena.reset(1)
            require_same_answer(_first_answer(port), number=1)

            def run(heat: Heat) -> Measured:
                measured = self.attack(server, port, heat)
                if self.delivers:
                    arena.wait_until_relayed()
                return measured

            if self.delivers:
                arena.wait_until_relayed()
            server.wait_until_idle()
            yield run

    @contextmanager
    def served(
        self, arena: Arena, ready: Callable[[int], bool] | None = None
    ) -> Iterator[tuple[ServerProcess, int]]:
        """The running server and its port, once `ready` says so or it takes connections."""
        port = free_port()
        is_ready = ready or takes_connections
        variables = {"DATABASE_URL": arena.url, **self.variables}
        with serving(self.command(port), variables, lambda: is_ready(port)) as server:
            yield server, port

    def attack(self, server: ServerProcess, port: int, heat: Heat) -> Measured:
        """Retries the heat's executions until time is up or there are no more."""
        cpu = server.cpu_s()
        answer = self.load.ask(
            {
                "port": port,
                "api_key": API_KEY,
                "ids": heat.ids,
                "clients": heat.clients,
                "warm_up_s": heat.warm_up_s,
                "seconds": heat.seconds,
            }
        )
        cpu_us = 1e6 * (server.cpu_s() - cpu) / answer["retried"]
        return Measured(**answer, cpu_us=cpu_us)


def _first_answer(port: int) -> Any:
    """To the retry of row 1, once the server has its database."""
    connection = HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request(
            "POST",
            f"/api/v1/automation/executions/{execution_id(1)}/retry",
            headers={"x-api-key": API_KEY, "content-length": "0"},
        )
        return orjson.loads(connection.getresponse().read())
    finally:
        connection.close()


def takes_connections(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def service(load: Companion, command: str) -> OverHttp:
    """As shipped: one process, default settings, delivering to Procrastinate."""
    return OverHttp(names.SERVICE, load, service_command(command), delivers=True)


def service_without_delivery(load: Companion, command: str) -> OverHttp:
    return OverHttp(
        names.SERVICE_WITHOUT_DELIVERY, load, service_command(command), WITHOUT_DELIVERY
    )


def service_in_workers(load: Companion, command: str) -> OverHttp:
    """As shipped, but in several processes."""
    in_workers = service_command(command, "--workers", str(_WORKERS))
    return OverHttp(names.SERVICE_IN_WORKERS, load, in_workers, delivers=True)


def flat_script(load: Companion) -> OverHttp:
    return OverHttp(names.FLAT, load, _script("flat"))


def flat_script_delivering(load: Companion) -> OverHttp:
    return OverHttp(names.FLAT_DELIVERING, load, _script("flat_delivering"), delivers=True)


def fastapi_sqlalchemy(load: Companion) -> OverHttp:
    return OverHttp(names.FASTAPI, load, _script("fastapi_sqlalchemy.app"))
