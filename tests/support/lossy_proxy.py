import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import define, field

from tests.support.server_process import HOST


@define(eq=False)
class LossyProxy:
    """Stands before a broker and passes everything on, until it is told to lose a reply."""

    broker_port: int
    port: int = field(default=0, init=False)
    lost: bytes = field(default=b"", init=False)
    """The reply that came from the broker and went no further."""
    _losing: bytes | None = field(default=None, init=False)

    def lose_reply(self, mark: bytes = b"") -> None:
        """The next bytes of the broker that contain `mark` are lost, and the connection with them.

        So the broker has done what it was asked to do, and the client does not know.
        """
        self._losing = mark

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_broker, to_broker = await asyncio.open_connection(HOST, self.broker_port)
        requests = asyncio.create_task(_pass_on(reader, to_broker))
        replies = asyncio.create_task(self._pass_replies_on(from_broker, writer))
        await asyncio.wait({requests, replies}, return_when=asyncio.FIRST_COMPLETED)
        for task in (requests, replies):
            task.cancel()
        await asyncio.gather(requests, replies, return_exceptions=True)
        for one in (writer, to_broker):
            one.transport.abort()

    async def _pass_replies_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65_536):
            if self._losing is not None and self._losing in data:
                self.lost, self._losing = data, None
                return
            writer.write(data)
            await writer.drain()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def lossy_proxy(broker_port: int) -> AsyncIterator[LossyProxy]:
    proxy = LossyProxy(broker_port)
    server = await asyncio.start_server(proxy.serve, HOST, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
