"""What a service process runs: the command as shipped, or the same with deaths and bugs planted."""

import asyncio
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import NoReturn

from attrs import evolve, frozen

from automation_retry.adapters.log import log
from automation_retry.adapters.postgres import postgres_storage
from automation_retry.application.ports import BrokerBundle, Storage
from automation_retry.entrypoints.cli import main
from automation_retry.entrypoints.container import Brokers, Container
from automation_retry.entrypoints.lifecycle import opened
from automation_retry.entrypoints.logging import configure_logging
from automation_retry.entrypoints.server import (
    StoppableServer,
    application,
    listening_socket,
    server_config,
)
from automation_retry.entrypoints.settings import Settings, read_settings
from tests.crash.death import Countdown, Death, DyingBroker, DyingDatabase, DyingOutbox
from tests.crash.log_fate import LogFate, obey_fate
from tests.crash.mutants import MUTANTS, NO_BUG, Bug

SERVE = ("serve", "--port", "0")
RELAY = ("relay",)


@frozen(kw_only=True)
class Program:
    """One start of a service process."""

    command: Sequence[str]
    """`SERVE` or `RELAY`: the arguments of `automation-retry`."""
    variables: Mapping[str, str]
    """Its environment, in addition to that of this process."""
    mutant: str | None = None
    death: Death | None = None
    by_outbox: bool = False
    """Whether commits leave all messages to a relay, as those of earlier versions do."""
    log_fate: LogFate = LogFate.READ

    @property
    def shipped(self) -> bool:
        return self.mutant is None and self.death is None and not self.by_outbox

    @property
    def bug(self) -> Bug:
        return NO_BUG if self.mutant is None else MUTANTS[self.mutant].bug


def run(program: Program, pipe: Connection) -> NoReturn:
    """Runs the program to its end, in a new process; all that it writes goes to `pipe`."""
    os.setsid()  # Ctrl-C goes to the harness only, which then ends its processes
    threading.Thread(target=_end_with_harness, daemon=True).start()
    for descriptor in (1, 2):
        os.dup2(pipe.fileno(), descriptor)
    pipe.close()
    obey_fate(program.log_fate, 2)
    os.environ.update(program.variables)
    if program.shipped:
        main([*program.command])
    settings = read_settings()
    configure_logging(settings.log_format, settings.log_level)
    program.bug.plant()
    if program.command == SERVE:
        _serve(program, settings)
    else:
        asyncio.run(_relay(program, settings))
    sys.exit()


def _end_with_harness() -> None:
    """Kills this process when the harness has ended, even by a kill."""
    harness = multiprocessing.parent_process()
    assert harness is not None
    harness.join()
    os.kill(os.getpid(), signal.SIGKILL)


def _serve(program: Program, settings: Settings) -> None:
    container = Container(settings=settings)
    container.database.set_provides(DyingDatabase)
    database = container.database()
    assert isinstance(database, DyingDatabase)
    database.countdown = Countdown(program.death)
    container.storage.override(
        postgres_storage(
            database,
            new_id=container.new_id(),
            on_commit=container.wake_up(),
            kinds=settings.kinds,
            hand_over={} if program.by_outbox else settings.hand_over,
            unit_of_work=program.bug.unit_of_work,
        )
    )
    server = StoppableServer(server_config(application(container), settings), container.stop())
    # uvicorn raises the signal that stopped it again; a clean shutdown is to exit 0.
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
        log(logging.INFO, "relaying")
        await stopping.wait()


def _plant(program: Program, container: Container) -> None:
    """Puts the program's bug and its death into the relay's adapters."""
    bug, countdown = program.bug, Countdown(program.death)
    storage: Storage = container.storage()
    database = container.database()
    outbox = DyingOutbox(bug.outbox(storage.outbox, database), countdown)
    container.storage.override(evolve(storage, outbox=outbox))

    def planted(bundle: BrokerBundle) -> BrokerBundle:
        return evolve(bundle, broker=DyingBroker(bug.broker(bundle.broker), countdown))

    brokers: Brokers = container.brokers()
    jobs = planted(brokers.jobs)
    events = jobs if brokers.events is brokers.jobs else planted(brokers.events)
    container.brokers.override(Brokers(jobs, events))
