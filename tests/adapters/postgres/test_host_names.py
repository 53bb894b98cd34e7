"""Host names are looked up for each connection, in bounded time."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import psycopg
import pytest
from attrs import define, field
from psycopg.conninfo import conninfo_to_dict

from automation_retry.adapters.postgres import Database
from automation_retry.adapters.postgres.host_names import HostNames
from automation_retry.application import StorageUnavailable
from tests.support.freezing_proxy import freezing_proxy


@define
class NameServer:
    """Knows some names; answers when it is up, and never gives up on the others."""

    names: dict[str, list[str]] = field(factory=dict)
    up: threading.Event = field(factory=threading.Event)
    lookups: int = 0

    def get_address_info(self, host: str, port: str, **_: Any) -> list[tuple[Any, ...]]:
        self.lookups += 1
        self.up.wait()
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port))
            for address in self.names[host]
        ]


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    server.up.set()
    yield server
    server.up.set()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = monotonic()
    yield
    assert monotonic() - began < seconds


async def resolved(server: NameServer, conninfo: str) -> dict[str, Any]:
    return conninfo_to_dict(await HostNames(server.get_address_info).resolved(conninfo))


async def test_a_name_becomes_an_attempt_for_each_address(name_server: NameServer) -> None:
    """The name stays, for the server's certificate; so does everything else."""
    name_server.names["db.example"] = ["192.0.2.1", "192.0.2.2", "192.0.2.1"]
    found = await resolved(name_server, "postgresql://u@db.example:6000/d?sslmode=verify-full")

    assert found == {
        "user": "u",
        "dbname": "d",
        "sslmode": "verify-full",
        "host": "db.example,db.example",
        "port": "6000,6000",
        "hostaddr": "192.0.2.1,192.0.2.2",
    }


async def test_of_several_hosts_those_that_resolve_are_kept(name_server: NameServer) -> None:
    """With their own ports; addresses and sockets are left alone."""
    name_server.names["b.example"] = ["192.0.2.2"]
    found = await resolved(
        name_server, "host=a.example,b.example,192.0.2.9,/run/pg port=1,2,3,4 dbname=d"
    )

    assert (found["host"], found["port"], found["hostaddr"]) == (
        "b.example,192.0.2.9,/run/pg",
        "2,3,4",
        "192.0.2.2,192.0.2.9,",
    )


@pytest.mark.parametrize(
    "conninfo",
    [
        "host=/run/pg dbname=d",
        "dbname=d",
        "host=192.0.2.1",
        "host=::1",
        "host=x hostaddr=192.0.2.1",
    ],
)
async def test_without_names_nothing_is_looked_up(name_server: NameServer, conninfo: str) -> None:
    """The string is as it was."""
    assert await HostNames(name_server.get_address_info).resolved(conninfo) == conninfo
    assert name_server.lookups == 0


async def test_an_unknown_name(name_server: NameServer) -> None:
    """The error names it."""
    with pytest.raises(psycopg.OperationalError, match=r"cannot resolve host db\.example: "):
        await resolved(name_server, "host=db.example")


async def test_name_servers_that_do_not_answer(name_server: NameServer) -> None:
    """An error in time, and no thread for each attempt."""
    name_server.up.clear()
    names = HostNames(name_server.get_address_info)
    for _ in range(5):
        with within(4), pytest.raises(psycopg.OperationalError, match="name servers"):
            await names.resolved("host=db.example connect_timeout=2")

    assert name_server.lookups == 3


async def test_a_database_whose_name_cannot_be_resolved_for_a_while(
    name_server: NameServer, database_url: str
) -> None:
    """Callers are told in time and why; it is found when the name servers are back."""
    name_server.up.clear()
    async with freezing_proxy(database_url) as proxy:
        name_server.names["db.example"] = ["127.0.0.1"]
        url = proxy.url.replace("127.0.0.1", "db.example") + "?connect_timeout=2"
        database = Database(url, timeout=3.0, host_names=HostNames(name_server.get_address_info))
        await database.open()
        try:
            with within(4), pytest.raises(StorageUnavailable) as unavailable:
                await database.fetch("SELECT 1 AS one", {})
            name_server.up.set()
            async with asyncio.timeout(5):
                while True:
                    with suppress(StorageUnavailable):
                        assert await database.fetch("SELECT 1 AS one", {}) == [{"one": 1}]
                        break
        finally:
            with within(2):
                await database.close()

    assert unavailable.value.reason.startswith(
        "no connection: the host name cannot be resolved: the name servers "
    )


async def test_a_name_with_an_address_that_says_nothing(
    name_server: NameServer, database_url: str
) -> None:
    """The other address is tried before the caller's time is over."""
    async with freezing_proxy(database_url) as proxy:
        port = proxy.url.rpartition(":")[2].partition("/")[0]
        with socket.create_server(("127.0.0.2", int(port))):
            name_server.names["db.example"] = ["127.0.0.2", "127.0.0.1"]
            database = Database(
                proxy.url.replace("127.0.0.1", "db.example"),
                host_names=HostNames(name_server.get_address_info),
            )
            await database.open()
            try:
                with within(4):
                    assert await database.fetch("SELECT 1 AS one", {}) == [{"one": 1}]
            finally:
                await database.close()


async def test_an_address_that_changes(name_server: NameServer, database_url: str) -> None:
    """New connections go to the new one; those to the old one go on until they are cut."""
    async with freezing_proxy(database_url) as proxy:
        name_server.names["db.example"] = ["127.0.0.1"]
        url = proxy.url.replace("127.0.0.1", "db.example") + "?connect_timeout=2"
        database = Database(url, host_names=HostNames(name_server.get_address_info))
        await database.open()
        try:
            assert await database.fetch("SELECT 1 AS one", {}) == [{"one": 1}]
            name_server.names["db.example"] = ["127.0.0.2"]
            assert await database.fetch("SELECT 1 AS one", {}) == [{"one": 1}]
            proxy.freeze()
            name_server.names["db.example"] = ["127.0.0.1"]
            async with asyncio.timeout(5):
                assert await database.fetch("SELECT 1 AS one", {}) == [{"one": 1}]
        finally:
            await database.close()
