"""A proxy before PostgreSQL whose connections die without a word, as behind a firewall."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

from attrs import define, field
from psycopg.conninfo import conninfo_to_dict

from tests.support.server_process import HOST

_KEEPALIVE_S = 2.0
"""After that a server notices that the other end of a frozen connection is gone."""


@define(eq=False)
class FreezingProxy:
    """Passes everything on, until it is told to freeze."""

    url: str
    """Of the database, by way of the proxy."""
    _socket: str
    """The path of the server's socket."""
    freezes_new: bool = field(default=False, init=False)
    """Whether connections that come now are accepted and never answered."""
    _frozen: set[asyncio.Event] = field(factory=set, init=False)
    """One for each connection; set when nothing passes on any more."""

    @property
    def connections(self) -> int:
        """The number of those that pass on."""
        return sum(not frozen.is_set() for frozen in self._frozen)

    def freeze(self) -> None:
        """Nothing passes any more on the connections of now, which are neither closed nor reset."""
        for frozen in self._frozen:
            frozen.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            writer.transport.abort()
            return
        frozen = asyncio.Event()
        if self.freezes_new:
            frozen.set()
        self._frozen.add(frozen)
        requests = asyncio.create_task(_pass_on(reader, server_writer, frozen))
        answers = asyncio.create_task(_pass_on(server_reader, writer, frozen))
        try:
            await asyncio.wait({requests, answers}, return_when=asyncio.FIRST_COMPLETED)
            if frozen.is_set():
                await requests  # the end of the server does not pass either
                await asyncio.sleep(_KEEPALIVE_S)
        finally:
            self._frozen.discard(frozen)
            for one in (requests, answers):
                one.cancel()
            await asyncio.gather(requests, answers, return_exceptions=True)
            for stream in (writer, server_writer):
                stream.transport.abort()


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frozen: asyncio.Event
) -> None:
    """Returns when the reader's end has closed the connection."""
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            if not frozen.is_set():
                writer.write(data)


@asynccontextmanager
async def freezing_proxy(database_url: str) -> AsyncIterator[FreezingProxy]:
    """Before a server that listens on a Unix socket."""
    parameters = conninfo_to_dict(database_url)
    socket = f"{parameters['host']}/.s.PGSQL.{parameters['port']}"
    proxy = FreezingProxy("", socket)
    connections = set[asyncio.Task[None]]()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(proxy.serve(reader, writer))
        connections.add(connection)
        connection.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    address = f"{parameters['user']}@{HOST}:{port}"
    proxy.url = urlunsplit(urlsplit(database_url)._replace(netloc=address, query=""))
    try:
        yield proxy
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()
