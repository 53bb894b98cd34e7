"""One connection to one server: questions and their answers, until the first failure."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Self

import nats.errors
import orjson
from attrs import define, field, frozen
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from automation_retry.adapters.nats.settings import NatsSettings

Answer = Mapping[str, Any]

_GRACE_S = 1.0


@frozen(kw_only=True)
class Question:
    """A message that is answered in JSON."""

    subject: str
    payload: bytes = b""
    headers: Mapping[str, str] = field(factory=dict)

    @property
    def size(self) -> int:
        """Its bytes as the server counts them against `max_payload`: headers and payload."""
        if not self.headers:
            return len(self.payload)
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return len(f"NATS/1.0\r\n{lines}\r\n".encode()) + len(self.payload)


@define(eq=False)
class Session:
    """A connected client that is thrown away when it fails, and never reconnects by itself.

    One that reconnects also sends what it had buffered, long after the hand-over was given up.
    """

    _settings: NatsSettings
    _client: Client = field(factory=Client, init=False)
    _subscription: Subscription | None = field(default=None, init=False)
    _inbox: str = field(default="", init=False)
    _numbers: "count[int]" = field(factory=count, init=False)
    _answers: dict[str, asyncio.Future[Msg | None]] = field(factory=dict, init=False)
    """What is waited for, by number; None is the end of the connection."""
    last_error: Exception | None = field(default=None, init=False)
    """Said beside the protocol, as when a permission is missing."""
    fit: set[str] = field(factory=set, init=False)
    """Names of the streams that were found fit in this session."""

    @property
    def over(self) -> bool:
        return self._client.is_closed

    @property
    def max_payload(self) -> int:
        """In bytes."""
        return self._client.max_payload

    async def begin(self) -> Self:
        """Connects to the first server that answers; after an error there is nothing to end.

        Raises:
            nats.errors.Error, OSError: none did.
        """
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await self._client.connect(
                    servers=list(self._settings.servers),
                    name="automation-retry",
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    # Never buffers for a connection that is not there.
                    pending_size=-1,
                    error_cb=self._note,
                    closed_cb=self._closed,
                )
                self._inbox = self._client.new_inbox()
                self._subscription = await self._client.subscribe(
                    f"{self._inbox}.*", cb=self._answer
                )
        except BaseException:
            await self.end()
            raise
        return self

    async def end(self) -> None:
        """Closes the connection; a server that reads no more does not hold it up."""
        await self._closed()
        if self._subscription and not self.over:
            await self._subscription.unsubscribe()
        # The client swallows cancellations while it closes, so it is waited for from outside.
        closing = asyncio.ensure_future(self._client.close())
        await asyncio.wait({closing}, timeout=_GRACE_S)
        if not closing.done():
            self._abort()
            await asyncio.wait({closing}, timeout=_GRACE_S)
        if closing.done() and not closing.cancelled():
            closing.exception()  # of no use to anybody, but asyncio would complain

    async def ask(self, questions: Sequence[Question]) -> Sequence[Answer]:
        """Sends all of them in their order, then waits for the answer to each.

        Raises:
            nats.errors.Error, OSError: the connection ended, or an answer did not come in time;
                the others may have been answered.
        """
        waiting = dict[str, asyncio.Future[Msg | None]]()
        try:
            for question in questions:
                number = str(next(self._numbers))
                waiting[number] = self._answers[number] = asyncio.Future()
                await self._client.publish(
                    question.subject,
                    question.payload,
                    reply=f"{self._inbox}.{number}",
                    headers=dict(question.headers) or None,
                )
            async with asyncio.timeout(self._settings.timeout_s):
                messages = await asyncio.gather(*waiting.values())
        finally:
            for number in waiting:
                self._answers.pop(number, None)
        return [_read(message) for message in messages]

    async def _answer(self, message: Msg) -> None:
        future = self._answers.get(message.subject.rpartition(".")[2])
        if future is not None and not future.done():
            future.set_result(message)

    async def _closed(self) -> None:
        for future in self._answers.values():
            if not future.done():
                future.set_result(None)

    async def _note(self, error: Exception) -> None:
        self.last_error = error

    def _abort(self) -> None:
        """Drops the connection with what is still to be sent; nats-py has no call for it."""
        writer = getattr(self._client._transport, "_io_writer", None)  # noqa: SLF001
        if writer is not None:
            writer.transport.abort()


def _read(message: Msg | None) -> Answer:
    if message is None:
        raise nats.errors.ConnectionClosedError
    if message.headers and message.headers.get("Status") == "503":
        return {"error": {"description": "no stream takes its subject"}}
    try:
        answer = orjson.loads(message.data)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):  # from a subscriber who answers what is not meant for him
        return {"error": {"description": "somebody else than JetStream answered"}}
    return answer
