"""The connection to the cluster, and the one place where its errors become the application's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import nats.errors
import orjson

from automation_retry.adapters.nats.session import Answer, Question, Session
from automation_retry.adapters.nats.settings import NatsSettings
from automation_retry.adapters.nats.streams import Stream
from automation_retry.application import EngineUnavailable

ENGINE: Final = "nats"

_API = "$JS.API.STREAM"
# https://github.com/nats-io/nats-server/blob/main/server/errors.json
_NAME_IN_USE = 10058
_NOT_FOUND = 10059


class NatsConnection:
    """A connection to one cluster; made closed, for `open` to open.

    NATS may be down at any time, when it is opened included: it is connected to when needed.
    """

    def __init__(self, settings: NatsSettings) -> None:
        """Connects to nothing."""
        self.settings = settings
        self._is_open = False
        self._session: Session | None = None
        self._beginning = asyncio.Lock()

    async def open(self) -> None:
        self._is_open = True

    async def close(self) -> None:
        """Lets go of the connection, in a few seconds at most."""
        self._is_open = False
        async with self._beginning:
            session, self._session = self._session, None
        if session:
            await session.end()

    @asynccontextmanager
    async def session(self, stream: Stream, *, look_again: bool = False) -> AsyncIterator[Session]:
        """A session in which `stream` was found fit, or was made; found again with `look_again`.

        Raises:
            EngineUnavailable: NATS did not answer in time, or the stream is unfit.
        """
        session = await self._begun()
        try:
            if look_again or stream.name not in session.fit:
                await _require(session, stream)
                session.fit.add(stream.name)
            yield session
        except (nats.errors.Error, OSError) as error:
            await self._drop(session)
            raise EngineUnavailable(ENGINE, self._reason(session, error)) from error

    async def _begun(self) -> Session:
        async with self._beginning:
            if not self._is_open:
                raise EngineUnavailable(ENGINE, "the connection is closed")
            if self._session is None or self._session.over:
                session = Session(self.settings)
                try:
                    self._session = await session.begin()
                except (nats.errors.Error, OSError) as error:
                    raise EngineUnavailable(ENGINE, self._reason(session, error)) from error
            return self._session

    async def _drop(self, session: Session) -> None:
        if self._session is session:
            self._session = None
        await session.end()

    def _reason(self, session: Session, error: Exception) -> str:
        """What went wrong, with what the driver said beside it."""
        reason = str(error) or f"no answer in {self.settings.timeout_s} s"
        return f"{reason} ({session.last_error!r})" if session.last_error else reason


async def _require(session: Session, stream: Stream) -> None:
    info = await _ask(session, "INFO", stream)
    if _code(info) == _NOT_FOUND:
        info = await _ask(session, "CREATE", stream, orjson.dumps(stream.config))
    if _code(info) == _NAME_IN_USE:  # somebody else has made it meanwhile
        info = await _ask(session, "INFO", stream)
    if "error" in info:
        description = info["error"].get("description")
        raise EngineUnavailable(ENGINE, f"there is no stream {stream.name}: {description}")
    if faults := "; ".join(stream.faults(info["config"])):
        raise EngineUnavailable(ENGINE, f"stream {stream.name} will not do: {faults}")


async def _ask(session: Session, verb: str, stream: Stream, payload: bytes = b"") -> Answer:
    [answer] = await session.ask(
        [Question(subject=f"{_API}.{verb}.{stream.name}", payload=payload)]
    )
    return answer


def _code(answer: Answer) -> int | None:
    code: int | None = answer.get("error", {}).get("err_code")
    return code
