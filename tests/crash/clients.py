"""The clients: they retry what has failed, and record every answer or the lack of one."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from random import Random
from typing import Any
from uuid import UUID, uuid4

import httpx
from attrs import define, field, frozen

from tests.crash.failing_engine import FailingEngine
from tests.crash.population import Population
from tests.crash.process_slot import ProcessSlot
from tests.crash.records import Answer, AttemptKey, ExecutionKey
from tests.crash.scenarios import Scenario
from tests.support.world import EXECUTIONS

# Several times what a request may take.
_TIMEOUT_S = 8.0
_SHARE_OF_FOREIGN = 0.02
"""How often a client also asks for an execution that only another tenant has."""
_SHARE_OF_KEYS = 0.5
"""How often a request has an idempotency key."""
_TRIES = 5
"""How often a request with a key is repeated when its answer was lost."""
_PAUSE_S = 0.1
"""After an answer that asks for a repetition, or none."""

_SETTLED = frozenset({HTTPStatus.OK, HTTPStatus.BAD_REQUEST})


@frozen(kw_only=True)
class Request:
    """A request for a retry, to be sent once or several times."""

    asked: ExecutionKey
    api_key: str
    key: str | None
    """An idempotency key; also the request id, under which the retry is archived."""

    @property
    def headers(self) -> dict[str, str]:
        own = {"idempotency-key": self.key, "x-request-id": self.key} if self.key else {}
        return {"x-api-key": self.api_key, **own}


@define(eq=False)
class Clients:
    """Any number of clients with one log of answers."""

    _apis: Sequence[ProcessSlot]
    _population: Population
    _engine: FailingEngine
    _random: Random
    _scenario: Scenario
    _clock: Callable[[], float]
    _http: httpx.AsyncClient
    """Without a base URL: a restarted API has another port."""
    _on_answer: Callable[[], None]
    answers: list[Answer] = field(factory=list, init=False)
    retried: int = field(default=0, init=False)
    """The number of answers 200."""

    async def run(self, stopping: asyncio.Event) -> None:
        """One client, until `stopping`; a request in progress is finished first."""
        until_stopped = asyncio.create_task(stopping.wait())
        while not stopping.is_set():
            failed = asyncio.create_task(self._engine.failed.get())
            await asyncio.wait([failed, until_stopped], return_when=asyncio.FIRST_COMPLETED)
            if not failed.done():
                failed.cancel()
                break
            await self._get_retried(failed.result())

    async def _get_retried(self, execution: ExecutionKey) -> None:
        if self._random.random() < _SHARE_OF_FOREIGN:
            hidden = self._random.choice(self._population.hidden)
            await self.retry(self.request(ExecutionKey(execution.tenant, hidden)))
        request = self.request(execution)
        simultaneous = self._random.choice(self._scenario.simultaneous)
        answers = await asyncio.gather(*[self.retry(request) for _ in range(simultaneous)])
        tries = _TRIES if request.key else 0
        while not any(answer.status in _SETTLED for answer in answers):
            await asyncio.sleep(_PAUSE_S)
            if not tries:
                self._engine.failed.put_nowait(execution)
                break
            tries -= 1
            answers = [await self.retry(request)]
        for answer in answers:
            if answer.promised and self._random.random() < self._scenario.share_timed_out:
                self._engine.time_out(answer.promised)

    def request(self, execution: ExecutionKey) -> Request:
        """A request with a key of the execution's tenant."""
        api_key = self._random.choice(self._population.keys[execution.tenant])
        key = str(uuid4()) if self._random.random() < _SHARE_OF_KEYS else None
        return Request(asked=execution, api_key=api_key, key=key)

    async def retry(self, request: Request) -> Answer:
        """Sends the request to one of the APIs, once."""
        address = await self._some_address()
        sent_at = self._clock()
        try:
            response = await self._http.post(
                f"{address}{EXECUTIONS}/{request.asked.execution_id}/retry",
                headers=request.headers,
                timeout=_TIMEOUT_S,
            )
        except httpx.TransportError as error:
            read: Mapping[str, Any] = {"status": None, "reason": type(error).__name__}
        else:
            read = _read(response)
        answer = Answer(
            asked=request.asked,
            key=request.key,
            sent_at=sent_at,
            ended_at=self._clock(),
            **read,
        )
        self.answers.append(answer)
        self.retried += answer.status == HTTPStatus.OK
        self._on_answer()
        return answer

    async def _some_address(self) -> str:
        while True:
            serving = [api for api in self._apis if api.address]
            api = self._random.choice(serving or self._apis)
            await api.serving.wait()
            if api.address:
                return api.address


def _read(response: httpx.Response) -> Mapping[str, Any]:
    """The attributes of an `Answer` that the response contains."""
    body = response.json()
    if response.status_code != HTTPStatus.OK:
        return {"status": response.status_code, "reason": body["error"]["code"]}
    data = body["data"]
    key = ExecutionKey(UUID(data["tenant"]), UUID(data["execution_id"]))
    return {
        "status": response.status_code,
        "reason": "",
        "promised": AttemptKey(key, data["retry_count"]),
        "replayed": "idempotent-replayed" in response.headers,
    }
