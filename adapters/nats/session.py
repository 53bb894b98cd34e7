"""One connection to one server: requests and their replies, until the first failure."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import nats.errors
import orjson
from attrs import define, field, frozen
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from automation_retry.adapters.nats.settings import NatsSettings

Reply = Mapping[str, Any]

_GRACE_S = 1.0


@frozen(kw_only=True)
class Request:
    """A message to which JetStream replies in JSON."""

    subject: str
    payload: bytes = b""
    headers: Mapping[str, str] = field(factory=dict)

    @property
    def size(self) -> int:
        """Bytes of headers and payload, as the server compares them with `max_payload`."""
        if not self.headers:
            return len(self.payload)
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return len(f"NATS/1.0\r\n{lines}\r\n".encode()) + len(self.payload)


@define(eq=False)
class Session:
    """A connected client that is closed when it fails and never reconnects by itself.

    A client that reconnects also sends what it had buffered, long after the caller gave up.
    """

    _settings: NatsSettings
    _client: Client = field(factory=Client, init=False)
    _subscription: Subscription | None = field(default=None, init=False)
    _inbox: str = field(default="", init=False)
    _numbers: "count[int]" = field(factory=count, init=False)
    _pending: dict[str, asyncio.Future[Msg | None]] = field(factory=dict, init=False)
    """Requests without a reply, by number; the result is None when the connection ends."""
    last_error: Exception | None = field(default=None, init=False)
    """Reported by the server outside a reply, as when a permission is missing."""
    checked: set[str] = field(factory=set, init=False)
    """Names of the streams that were found suitable in this session."""

    @property
    def closed(self) -> bool:
        return self._client.is_closed

    @property
    def max_payload(self) -> int:
        """In bytes."""
        return self._client.max_payload

    async def connect(self) -> Self:
        """Connects to one of the servers; after an error nothing needs to be closed.

        Raises:
            nats.errors.Error, OSError: none answered.
        """
        servers = list(self._settings.servers)
        random.shuffle(servers)
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                while servers:
                    try:
                        await self._connect_to(servers.pop())
                        break
                    except (nats.errors.Error, OSError):
                        if not servers:
                            raise
                        await self.close()
                        self._client = Client()
                self._inbox = self._client.new_inbox()
                self._subscription = await self._client.subscribe(
                    f"{self._inbox}.*", cb=self._on_reply
                )
        except BaseException:
            await self.close()
            raise
        return self

    async def _connect_to(self, server: str) -> None:
        await self._client.connect(
            name="automation-retry",
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            # Nothing is buffered while there is no connection.
            pending_size=-1,
            error_cb=self._on_error,
            closed_cb=self._on_close,
            **_address(server),
        )

    async def close(self) -> None:
        """Closes the connection, in bounded time even when the server stops reading."""
        await self._on_close()
        if self._subscription and not self.closed:
            await self._subscription.unsubscribe()
        # The client swallows cancellations while it closes, so this is a task with a timeout.
        closing = asyncio.ensure_future(self._client.close())
        await asyncio.wait({closing}, timeout=_GRACE_S)
        if not closing.done():
            self._abort()
            await asyncio.wait({closing}, timeout=_GRACE_S)
        if closing.done() and not closing.cancelled():
            closing.exception()  # retrieved, or asyncio logs it

    async def request(self, requests: Sequence[Request]) -> Sequence[Reply]:
        """Sends all requests in order, then waits for the reply to each.

        Raises:
            nats.errors.Error, OSError: the connection ended, or a reply did not come in time; the
                other requests may have been served.
        """
        pending = dict[str, asyncio.Future[Msg | None]]()
        try:
            for request in requests:
                number = str(next(self._numbers))
                pending[number] = self._pending[number] = asyncio.Future()
                await self._client.publish(
                    request.subject,
                    request.payload,
                    reply=f"{self._inbox}.{number}",
                    headers=dict(request.headers) or None,
                )
            async with asyncio.timeout(self._settings.timeout_s):
                messages = await asyncio.gather(*pending.values())
        finally:
            for number in pending:
                self._pending.pop(number, None)
        return [_read(message) for message in messages]

    async def _on_reply(self, message: Msg) -> None:
        future = self._pending.get(message.subject.rpartition(".")[2])
        if future is not None and not future.done():
            future.set_result(message)

    async def _on_close(self) -> None:
        for future in self._pending.values():
            if not future.done():
                future.set_result(None)

    async def _on_error(self, error: Exception) -> None:
        self.last_error = error

    def _abort(self) -> None:
        """Drops the connection with all unsent data; nats-py has no public call for it."""
        writer = getattr(self._client._transport, "_io_writer", None)  # noqa: SLF001
        if writer is not None:
            writer.transport.abort()


def _address(server: str) -> dict[str, Any]:
    """The server and the credentials in its URL, which the client itself does not decode."""
    url = urlsplit(server)
    credentials, _, host = url.netloc.rpartition("@")
    address: dict[str, Any] = {"servers": [f"{url.scheme}://{host}"]}
    user, _, password = credentials.partition(":")
    if password:
        return address | {"user": unquote(user), "password": unquote(password)}
    return address | {"token": unquote(user)} if user else address


def _read(message: Msg | None) -> Reply:
    if message is None:
        raise nats.errors.ConnectionClosedError
    if message.headers and message.headers.get("Status") == "503":
        return {"error": {"description": "no stream has this subject"}}
    try:
        reply = orjson.loads(message.data)
    except orjson.JSONDecodeError:
        reply = None
    if not isinstance(reply, dict):  # from another subscriber of the subject
        return {"error": {"description": "the reply is not from JetStream"}}
    return reply
