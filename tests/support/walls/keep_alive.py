"""A client that sends many requests quickly and changes no byte of an answer."""

import asyncio
from collections.abc import Mapping, Sequence

from attrs import define, frozen

Headers = Sequence[tuple[bytes, bytes]]


@frozen
class Request:
    method: str
    target: str
    """Path and query, encoded."""
    headers: Mapping[str, str]
    body: bytes = b""

    def encoded(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", "host: walls"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body:
            lines += ["content-type: application/json", f"content-length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@frozen
class Response:
    status: int
    headers: Headers
    """As sent, names in their case."""
    body: bytes


@define
class Connection:
    """One request at a time; every answer announces its length."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, request: Request) -> Response:
        self.writer.write(request.encoded())
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        headers = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
        [length] = [int(value) for name, value in headers if name.lower() == b"content-length"]
        return Response(int(first.split()[1]), headers, await self.reader.readexactly(length))


async def send_all(
    host: str, port: int, requests: Sequence[Request], *, connections: int
) -> Sequence[Response]:
    """The answers in the order of the requests, of which each connection sends its share."""
    answers: dict[int, Response] = {}
    waiting = iter(enumerate(requests))

    async def work() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        connection = Connection(reader, writer)
        for number, request in waiting:
            answers[number] = await connection.send(request)
        writer.close()
        await writer.wait_closed()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(work())
    return [answers[number] for number in range(len(requests))]
