"""What a service process runs: the command as shipped, or the same with deaths and bugs planted."""

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, NoReturn

import structlog
import uvicorn
from attrs import frozen

from automation_retry.adapters.procrastinate import ProcrastinateBus, ProcrastinateQueue
from automation_retry.entrypoints import cli
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.lifecycle import opened
from automation_retry.entrypoints.logging import configure_logging
from automation_retry.entrypoints.server import address_of, application, listening_socket
from automation_retry.entrypoints.settings import Engine, Settings, read_settings
from tests.crash.death import Death, DyingBus, DyingDatabase, DyingOutbox, DyingQueue, Reaper
from tests.crash.mutants import MUTANTS, NO_BUG, Bug

SERVE = ("serve", "--port", "0")
RELAY = ("relay",)


@frozen(kw_only=True)
class Program:
    """One start of a service process."""

    command: Sequence[str]
    """`SERVE` or `RELAY`: the arguments of `automation-retry`."""
    variables: Mapping[str, str]
    """Its environment, on top of ours."""
    mutant: str | None = None
    death: Death | None = None
    apart: bool = False
    """Whether Procrastinate gets connections of its own, as any other engine has."""

    @property
    def shipped(self) -> bool:
        return self.mutant is None and self.death is None and not self.apart

    @property
    def bug(self) -> Bug:
        return NO_BUG if self.mutant is None else MUTANTS[self.mutant].bug


def run(program: Program, log: Connection) -> NoReturn:
    """Becomes the program; all that it writes goes to `log`. To be called in a new process."""
    os.setsid()  # Ctrl-C is for the harness, which then ends its processes itself
    threading.Thread(target=_end_with_harness, daemon=True).start()
    for descriptor in (1, 2):
        os.dup2(log.fileno(), descriptor)
    log.close()
    os.environ.update(program.variables)
    if program.shipped:
        cli.main([*program.command])
    settings = read_settings()
    configure_logging(settings.log_format, settings.log_level)
    if program.command == SERVE:
        _serve(program, settings)
    else:
        asyncio.run(_relay(program, settings))
    sys.exit()


def _end_with_harness() -> None:
    """Even a harness that is killed leaves no process behind."""
    harness = multiprocessing.parent_process()
    assert harness is not None
    harness.join()
    os.kill(os.getpid(), signal.SIGKILL)


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            structlog.get_logger().info("serving", address=address_of(sockets[0]))


def _serve(program: Program, settings: Settings) -> None:
    container: Any = Container(settings=settings)
    # Other classes with the same arguments, whatever these are.
    container.database.set_provides(DyingDatabase)
    unit_of_work = container.new_unit_of_work.providers["postgresql"]
    unit_of_work.set_args(program.bug.unit_of_work, *unit_of_work.args[1:])
    container.database().reaper = Reaper(program.death)
    server = _Server(
        uvicorn.Config(
            application(container), lifespan="on", ws="none", access_log=False, log_config=None
        )
    )
    # uvicorn raises the signal that ended it once more; a clean shutdown is to exit 0.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    with listening_socket("127.0.0.1", 0) as listening:
        server.run(sockets=[listening])


async def _relay(program: Program, settings: Settings) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    container = Container(settings=settings)
    _plant(program, container)
    async with opened(container, relay=True):
        structlog.get_logger().info("relaying")
        await stopping.wait()


def _plant(program: Program, container: Container) -> None:
    bug, reaper, database = program.bug, Reaper(program.death), container.database()
    queue, bus = container.queue(), container.bus()
    if program.apart and container.settings().job_engine is Engine.PROCRASTINATE:
        queue = ProcrastinateQueue(database.connection)
    if program.apart and container.settings().event_engine is Engine.PROCRASTINATE:
        bus = ProcrastinateBus(database.connection)
    container.outbox.override(DyingOutbox(bug.outbox(container.outbox(), database), reaper))
    container.queue.override(DyingQueue(bug.queue(queue), reaper))
    container.bus.override(DyingBus(bug.bus(bus), reaper))
