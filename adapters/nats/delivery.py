"""Job queue and event bus as JetStream streams.

A message carries its id as `Nats-Msg-Id`: handed over again within the duplicate window, it is not
kept twice. A restarted server knows only the ids of what it still has: a job that was done before
the restart and is handed over again after it is there once more, which consumers notice by its id.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson
from attrs import frozen

from automation_retry.adapters.json_codec import message_record
from automation_retry.adapters.nats.cloud_event import CLOUD_EVENT, cloud_event
from automation_retry.adapters.nats.connection import ENGINE, NatsConnection
from automation_retry.adapters.nats.session import Answer, Question, Session
from automation_retry.adapters.nats.streams import Stream, event_stream, job_stream
from automation_retry.application import (
    EngineUnavailable,
    ExecutionJob,
    MessageRefused,
    RetriedEvent,
)
from automation_retry.application.ports import EventBus, ExecutionQueue

# https://github.com/nats-io/nats-server/blob/main/server/errors.json
_TOO_LARGE: Final = 10054

# A server throws away what it cannot keep up with, so not too many may be on their way at a time.
_IN_FLIGHT: Final = 256


class NatsQueue(ExecutionQueue):
    """Jobs as JSON on `<prefix>.executions.<tenant>`, in a work-queue stream."""

    def __init__(self, connection: NatsConnection) -> None:
        self._publisher = _Publisher(connection, job_stream(connection.settings))

    async def enqueue(self, jobs: Sequence[ExecutionJob]) -> None:
        await self._publisher.publish(
            [
                _Publication(
                    message_id=job.id,
                    tenant=job.tenant,
                    execution_id=job.execution_id,
                    body=message_record(job),
                    content_type="application/json",
                )
                for job in jobs
            ]
        )

    async def problem(self) -> str | None:
        """What keeps jobs from being queued and kept now, as a sentence for an operator."""
        return await self._publisher.problem()


class NatsBus(EventBus):
    """Events as CloudEvents on `<prefix>.execution.retried.<tenant>`."""

    def __init__(self, connection: NatsConnection) -> None:
        self._source = connection.settings.event_source
        self._publisher = _Publisher(connection, event_stream(connection.settings))

    async def publish(self, events: Sequence[RetriedEvent]) -> None:
        await self._publisher.publish(
            [
                _Publication(
                    message_id=event.id,
                    tenant=event.retried.tenant,
                    execution_id=event.retried.execution_id,
                    body=cloud_event(event, self._source),
                    content_type=CLOUD_EVENT,
                )
                for event in events
            ]
        )

    async def problem(self) -> str | None:
        """What keeps events from being published and kept now, as a sentence for an operator."""
        return await self._publisher.problem()


@frozen(kw_only=True)
class _Publication:
    message_id: UUID
    tenant: UUID
    execution_id: UUID
    body: dict[str, Any]
    content_type: str

    def question(self, stream: Stream) -> Question:
        try:
            payload = orjson.dumps(self.body)
        except orjson.JSONEncodeError as error:
            raise MessageRefused(self.message_id, f"it is not JSON: {error}") from error
        return Question(
            subject=stream.subject_of(self.tenant),
            payload=payload,
            headers={
                "Nats-Msg-Id": str(self.message_id),
                "Nats-Expected-Stream": stream.name,
                "Content-Type": self.content_type,
            },
        )


@frozen
class _Publisher:
    connection: NatsConnection
    stream: Stream

    async def publish(self, publications: Sequence[_Publication]) -> None:
        """Sends a group in its order and waits for its acknowledgements before the next.

        When a message in the middle of a group is not taken, those after it may be. So a group
        never has two messages of one execution, of which the first must not be overtaken.
        """
        if not publications:
            return
        questions = {one.message_id: one.question(self.stream) for one in publications}
        async with self.connection.session(self.stream) as session:
            _refuse_too_large(questions, session.max_payload)
            for group in _groups(publications):
                answers = await session.ask([questions[one.message_id] for one in group])
                self._check(session, group, answers)

    async def problem(self) -> str | None:
        try:
            async with self.connection.session(self.stream, look_again=True):
                return None
        except EngineUnavailable as unavailable:
            return f"NATS is unavailable: {unavailable.reason}."

    def _check(
        self, session: Session, group: Sequence[_Publication], answers: Sequence[Answer]
    ) -> None:
        refused: MessageRefused | None = None
        for publication, answer in zip(group, answers, strict=True):
            error = answer.get("error", {})
            if error.get("err_code") == _TOO_LARGE:
                refused = refused or MessageRefused(publication.message_id, error["description"])
            elif error or answer.get("stream") != self.stream.name:
                session.fit.discard(self.stream.name)
                reason = error.get("description", f"it came to {answer.get('stream')}")
                raise EngineUnavailable(ENGINE, f"{self.stream.name} did not take all: {reason}")
        if refused:
            raise refused


def _refuse_too_large(questions: Mapping[UUID, Question], limit: int) -> None:
    # One that is too large makes the server close the connection, under the others.
    for message_id, question in questions.items():
        if question.size > limit:
            reason = f"its {question.size} bytes are over the server's max_payload of {limit}"
            raise MessageRefused(message_id, reason)


def _groups(publications: Sequence[_Publication]) -> Iterator[Sequence[_Publication]]:
    group: dict[UUID, _Publication] = {}
    for publication in publications:
        if publication.execution_id in group or len(group) == _IN_FLIGHT:
            yield [*group.values()]
            group.clear()
        group[publication.execution_id] = publication
    if group:
        yield [*group.values()]
