"""HTTP as bytes on a socket, for what no client sends."""

import asyncio
from contextlib import suppress
from typing import Any

import httpx
import orjson
from attrs import frozen

from tests.support.world import World


@frozen
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)["error"]
        return found


class Connection:
    """One connection to the service."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, world: World) -> "Connection":
        url = httpx.URL(str(world.client.base_url))
        return cls(*await asyncio.open_connection(url.host, url.port))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def send_eof(self) -> None:
        self._writer.write_eof()

    async def answer(self) -> Answer:
        """The next answer."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split()[1]), headers, body)

    async def end(self) -> bytes:
        """What comes until the server closes the connection; then it is closed here as well."""
        async with asyncio.timeout(30):
            rest = await self._reader.read()
        await self.close()
        return rest

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


async def exchange(world: World, data: bytes) -> Answer:
    """Sends it on a connection of its own, which the server closes after its answer."""
    connection = await Connection.to(world)
    await connection.send(data)
    answer = await connection.answer()
    assert await connection.end() == b""
    return answer
