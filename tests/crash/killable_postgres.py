"""A PostgreSQL that is killed with all its processes, and started again on the same data."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from attrs import define, field, frozen
from psycopg.conninfo import conninfo_to_dict

from automation_retry.adapters.embedded import EmbeddedPostgres
from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.crash.waiting import in_thread
from tests.support.postgres_server import PostgresServer, private_folder

_TEMPLATE = "migrated"


@define(eq=False)
class KillablePostgres:
    """Created running, with a migrated database to copy."""

    _embedded: EmbeddedPostgres
    _server: PostgresServer
    up: asyncio.Event = field(factory=asyncio.Event, init=False)
    """Set while it runs; errors of clients are expected while it does not."""

    async def start(self) -> None:
        """Starts it where it is down; returns when it takes connections."""
        await in_thread(self._embedded.start)
        self.up.set()

    def kill(self) -> None:
        """Kill -9 for the postmaster, then for its children; none of them can clean up."""
        postmaster = self._embedded.postmaster_pid
        assert postmaster is not None
        self.up.clear()
        # Stopped first: a child that it forked after the others were listed would survive, wait
        # forever for a lock that one of them held, and keep the next server from starting.
        os.kill(postmaster, signal.SIGSTOP)
        while _may_fork(postmaster):
            time.sleep(0.001)
        for pid in (postmaster, *_children_of(postmaster)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def new_database(self) -> str:
        """The URL of a new database with all tables."""
        return await asyncio.to_thread(self._server.new_database, _TEMPLATE)

    async def drop(self, url: str) -> None:
        """Drops a database, whoever still uses it."""
        name = conninfo_to_dict(url)["dbname"]
        await asyncio.to_thread(self._server.execute, f'DROP DATABASE "{name}" WITH (FORCE)')


@asynccontextmanager
async def killable_postgres() -> AsyncIterator[KillablePostgres]:
    """A new server in a folder of its own; both are removed at the end."""
    with private_folder() as folder:
        embedded = EmbeddedPostgres(folder / "postgres")
        try:
            server = PostgresServer(await asyncio.to_thread(embedded.start))
            server.execute(f"CREATE DATABASE {_TEMPLATE}")
            await migrate_database(read_settings({"DATABASE_URL": server.url_of(_TEMPLATE)}))
            postgres = KillablePostgres(embedded, server)
            postgres.up.set()
            yield postgres
        finally:
            # Only the next server removes what a killed one left in shared memory.
            await in_thread(embedded.start)
            await in_thread(embedded.stop)


@frozen
class _Process:
    pid: int
    parent: int
    state: str
    """A letter as in `ps`: T when stopped, Z when dead."""


def _may_fork(pid: int) -> bool:
    return any(one.pid == pid and one.state not in "TZ" for one in _processes())


def _children_of(parent: int) -> Sequence[int]:
    return [one.pid for one in _processes() if one.parent == parent]


def _processes() -> Iterator[_Process]:
    """All processes of this machine."""
    if sys.platform == "linux":
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                # The command in brackets may contain anything; state and parent follow it.
                state, parent = stat.read_text().rpartition(")")[2].split()[:2]
                yield _Process(int(stat.parent.name), int(parent), state)
    else:
        listed = subprocess.run(
            ["/bin/ps", "-A", "-o", "pid=,ppid=,state="], capture_output=True, text=True, check=True
        )
        for line in listed.stdout.splitlines():
            pid, parent, state = line.split()
            yield _Process(int(pid), int(parent), state[0])
