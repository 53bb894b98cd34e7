"""The load: clients that each send the next request as soon as they have an answer.

`python -m tests.benchmarks.load` is a companion. Its clients are bare sockets on uvloop with
HTTP/1.1 keep-alive, because any HTTP library of Python would be slower than what it measures.
"""

import asyncio
import time
from typing import Final, cast

import uvloop
from attrs import define, field

from tests.benchmarks.companion import Answer, Question, answer_questions
from tests.benchmarks.stretch import Stretch

MODULE: Final = "tests.benchmarks.load"
HOST: Final = "127.0.0.1"
_PATIENCE: Final = 60.0
"""Seconds beyond the end of the measurement after which a missing answer is an error."""

_OK: Final = b"HTTP/1.1 200 "
_LENGTH: Final = b"\r\ncontent-length:"
_END: Final = b"\r\n\r\n"


class NotRetried(Exception):
    """An answer that was not 200, or none."""


@define(eq=False)
class Clients:
    """What all clients share."""

    api_key: str
    stretch: Stretch
    busy: int = 0
    failure: str | None = None
    over: asyncio.Event = field(factory=asyncio.Event)

    def next_request(self, now: float) -> bytes | None:
        """None when there is nothing left to do."""
        execution_id = None if self.failure else self.stretch.next_id(now)
        if execution_id is None:
            return None
        return (
            f"POST /api/v1/automation/executions/{execution_id}/retry HTTP/1.1\r\n"
            f"host: {HOST}\r\nx-api-key: {self.api_key}\r\ncontent-length: 0\r\n\r\n"
        ).encode()

    def fail(self, why: str) -> None:
        self.failure = self.failure or why

    def came(self) -> None:
        self.busy += 1

    def went(self) -> None:
        self.busy -= 1
        if self.busy == 0:
            self.over.set()


@define(eq=False)
class Client(asyncio.Protocol):
    """One connection; one request at a time."""

    clients: Clients
    _transport: asyncio.WriteTransport | None = None
    _asked: float = 0.0
    """When the request was sent; 0 while there is none."""
    _received: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is not a subclass
        self._ask(time.perf_counter())

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(_END)
        if head < 0:
            return
        length = self._received.find(_LENGTH, 0, head)
        if not self._received.startswith(_OK) or length < 0:
            self.clients.fail(self._received.decode(errors="replace"))
            self._close()
            return
        size = int(self._received[length + len(_LENGTH) : head].split(b"\r", 1)[0])
        if len(self._received) < head + len(_END) + size:
            return
        self._received = b""
        now = time.perf_counter()
        self.clients.stretch.done(self._asked, now)
        self._ask(now)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._asked:
            self.clients.fail(f"the connection was lost: {exc!r}")
        self.clients.went()

    def _ask(self, now: float) -> None:
        request = self.clients.next_request(now)
        if request is None or self._transport is None:
            self._close()
            return
        self._asked = now
        self._transport.write(request)

    def _close(self) -> None:
        self._asked = 0.0
        if self._transport:
            self._transport.close()


async def _attack(question: Question) -> Answer:
    stretch = Stretch(iter(question["ids"]), question["warm_up_s"], question["seconds"])
    clients = Clients(question["api_key"], stretch)
    loop = asyncio.get_running_loop()
    stretch.begin(time.perf_counter())
    for _ in range(question["clients"]):
        clients.came()
        await loop.create_connection(lambda: Client(clients), HOST, question["port"])
    async with asyncio.timeout(question["warm_up_s"] + question["seconds"] + _PATIENCE):
        await clients.over.wait()
    if clients.failure:
        raise NotRetried(clients.failure)
    return stretch.measured()


def _answer(question: Question) -> Answer:
    return uvloop.run(_attack(question))


if __name__ == "__main__":
    answer_questions(_answer)
