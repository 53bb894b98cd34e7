"""The connection to the cluster, and the one place where driver errors become the application's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats.errors
import orjson

from automation_retry.adapters.nats import BROKER
from automation_retry.adapters.nats.session import Reply, Request, Session
from automation_retry.adapters.nats.settings import NatsSettings
from automation_retry.adapters.nats.streams import Stream
from automation_retry.application import BrokerUnavailable
from automation_retry.application.ports import Lifecycle

_API = "$JS.API.STREAM"
# https://github.com/nats-io/nats-server/blob/main/server/errors.json
_NAME_IN_USE = 10058
_NOT_FOUND = 10059


class StreamUnsuitable(BrokerUnavailable):
    """The server answers, but a stream is missing and cannot be created, or is not suitable."""

    def __init__(self, reason: str) -> None:
        super().__init__(BROKER.name, reason)


class NatsConnection(Lifecycle):
    """A connection to one cluster, built closed. It connects on demand: NATS may be down any time.

    `close` takes a few seconds at most, even when NATS hangs.
    """

    def __init__(self, settings: NatsSettings) -> None:
        """Does not connect."""
        self.settings = settings
        self._is_open = False
        self._session: Session | None = None
        self._connecting = asyncio.Lock()

    async def open(self) -> None:
        self._is_open = True

    async def close(self) -> None:
        self._is_open = False
        async with self._connecting:
            session, self._session = self._session, None
        if session:
            await session.close()

    @asynccontextmanager
    async def session(self, stream: Stream, *, recheck: bool = False) -> AsyncIterator[Session]:
        """A session in which `stream` exists, created if need be, and is suitable.

        A session remembers this of its streams; with `recheck` the server is asked again.

        Raises:
            StreamUnsuitable: it is not suitable, or missing and could not be created.
            BrokerUnavailable: NATS did not answer in time.
        """
        session = await self._connected()
        try:
            if recheck or stream.name not in session.checked:
                await _require(session, stream)
                session.checked.add(stream.name)
            yield session
        except (nats.errors.Error, OSError) as error:
            await self._drop(session)
            raise BrokerUnavailable(BROKER.name, self._reason(session, error)) from error

    async def _connected(self) -> Session:
        async with self._connecting:
            if not self._is_open:
                raise BrokerUnavailable(BROKER.name, "the connection is closed")
            if self._session is None or self._session.closed:
                session = Session(self.settings)
                try:
                    self._session = await session.connect()
                except (nats.errors.Error, OSError) as error:
                    raise BrokerUnavailable(BROKER.name, self._reason(session, error)) from error
            return self._session

    async def _drop(self, session: Session) -> None:
        if self._session is session:
            self._session = None
        await session.close()

    def _reason(self, session: Session, error: Exception) -> str:
        """The error, and the one that the server reported outside a reply."""
        reason = str(error) or f"no answer in {self.settings.timeout_s} s"
        return f"{reason} ({session.last_error!r})" if session.last_error else reason


async def _require(session: Session, stream: Stream) -> None:
    info = await _call(session, "INFO", stream)
    if _code(info) == _NOT_FOUND:
        info = await _call(session, "CREATE", stream, orjson.dumps(stream.config))
    if _code(info) == _NAME_IN_USE:  # another process has created it meanwhile
        info = await _call(session, "INFO", stream)
    if "error" in info:
        description = info["error"].get("description")
        raise StreamUnsuitable(f"there is no stream {stream.name}: {description}")
    if problems := "; ".join(stream.problems(info["config"])):
        raise StreamUnsuitable(f"stream {stream.name} is not suitable: {problems}")


async def _call(session: Session, verb: str, stream: Stream, payload: bytes = b"") -> Reply:
    """Calls JetStream's API: https://docs.nats.io/reference/reference-protocols/nats_api_reference."""
    [reply] = await session.request(
        [Request(subject=f"{_API}.{verb}.{stream.name}", payload=payload)]
    )
    return reply


def _code(reply: Reply) -> int | None:
    code: int | None = reply.get("error", {}).get("err_code")
    return code
