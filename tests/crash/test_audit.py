"""Each violation is recognised, and nothing legal is reported."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from attrs import evolve

from automation_retry.application import MessageKind
from tests.crash.audit import Rule, audit
from tests.crash.records import (
    Answer,
    ArchivedAttempt,
    AttemptKey,
    Canary,
    Delivery,
    Evidence,
    ExecutionKey,
    OutboxMessage,
    StoredExecution,
    error_of,
)

TENANT, NEIGHBOUR, CANARY = UUID(int=1), UUID(int=2), UUID(int=3)
OPERATOR, STRANGER = UUID(int=11), UUID(int=12)
EXECUTION = ExecutionKey(TENANT, UUID(int=21))
NEIGHBOURS = ExecutionKey(NEIGHBOUR, EXECUTION.execution_id)
FIRST, SECOND, THIRD = [AttemptKey(EXECUTION, number) for number in (1, 2, 3)]
JOB, EVENT = MessageKind.JOB, MessageKind.EVENT


def an_answer(promised: AttemptKey | None = None, **changes: Any) -> Answer:
    values: dict[str, Any] = {
        "asked": EXECUTION,
        "sent_at": 1.0,
        "ended_at": 1.5,
        "status": 200,
        "reason": "",
        "promised": promised,
    }
    return Answer(**values | changes)


def archived(attempt: AttemptKey, **changes: Any) -> ArchivedAttempt:
    values: dict[str, Any] = {
        "attempt": attempt,
        "retried_by": OPERATOR,
        "request_id": None,
        "error_message": error_of(attempt.attempt - 1),
    }
    return ArchivedAttempt(**values | changes)


def delivery(kind: MessageKind, attempt: AttemptKey, message_id: UUID | None = None) -> Delivery:
    return Delivery(kind=kind, id=message_id or uuid4(), attempt=attempt)


def both(attempt: AttemptKey) -> list[Delivery]:
    return [delivery(JOB, attempt), delivery(EVENT, attempt)]


def waiting(dead_reason: str | None = None) -> OutboxMessage:
    return OutboxMessage(kind=JOB, id=uuid4(), attempt=FIRST, dead_reason=dead_reason)


def execution(**changes: Any) -> StoredExecution:
    values: dict[str, Any] = {
        "key": EXECUTION,
        "status": "failed",
        "retry_count": 2,
        "error_message": error_of(2),
    }
    return StoredExecution(**values | changes)


def sound() -> Evidence:
    """Of an execution that was retried twice, the second time with the answer lost."""
    return Evidence(
        answers=[
            an_answer(FIRST),
            an_answer(status=400, reason="BAD_REQUEST"),
            an_answer(status=503, reason="SERVICE_UNAVAILABLE"),
            an_answer(status=None, reason="ReadError"),
            an_answer(asked=ExecutionKey(TENANT, UUID(int=22)), status=404, reason="NOT_FOUND"),
        ],
        deliveries=[*both(FIRST), *both(SECOND)],
        archived=[archived(FIRST), archived(SECOND)],
        executions=[execution()],
        outbox=[],
        users={OPERATOR: TENANT, STRANGER: NEIGHBOUR},
        canary=Canary(tenant=CANARY, before=["(a row)"], after=["(a row)"]),
    )


def test_nothing_is_wrong_with_promises_kept() -> None:
    """Lost answers, 503, 400 and a hidden execution are legal."""
    assert audit(sound()) == []


def test_a_redelivery_is_legal() -> None:
    """The same id for the same attempt, however late."""
    evidence = sound()

    assert not audit(evolve(evidence, deliveries=[*evidence.deliveries, *evidence.deliveries]))


def test_a_replay_is_legal() -> None:
    """Two answers for one attempt when one of them says that it is a replay."""
    again = [an_answer(FIRST, key="k"), an_answer(FIRST, key="k", replayed=True)]

    assert not audit(evolve(sound(), answers=again))


def test_an_execution_that_was_reset_holds_no_error() -> None:
    """Pending after its last retry."""
    pending = execution(status="pending", error_message=None)

    assert not audit(evolve(sound(), executions=[pending]))


def broken(**changes: Callable[[Evidence], Any]) -> Evidence:
    evidence = sound()
    return evolve(evidence, **{name: change(evidence) for name, change in changes.items()})


MESSAGE_ID = UUID(int=99)

VIOLATIONS: list[tuple[Rule, str, Evidence]] = [
    (
        Rule.ANSWER,
        "500",
        broken(answers=lambda _: [an_answer(status=500, reason="INTERNAL_ERROR")]),
    ),
    (
        Rule.ANSWER,
        "404 for an execution that exists",
        broken(answers=lambda _: [an_answer(status=404, reason="NOT_FOUND")]),
    ),
    (
        Rule.ANSWER,
        "400 for another tenant's execution",
        broken(answers=lambda _: [an_answer(asked=NEIGHBOURS, status=400)]),
    ),
    (Rule.ANSWER, "200 without a body", broken(answers=lambda _: [an_answer()])),
    (
        Rule.UNANSWERED,
        "no answer",
        broken(answers=lambda _: [an_answer(status=None, reason="ReadTimeout")]),
    ),
    (Rule.SILENCE, "not settled", broken(settled=lambda _: False)),
    (Rule.ENDED, "exit", broken(endings=lambda _: ["relay 0 ended with 1"])),
    (Rule.PROMISE, "200 without its attempt", broken(answers=lambda _: [an_answer(THIRD)])),
    (
        Rule.PROMISED_TWICE,
        "two 200 for one attempt",
        broken(answers=lambda _: [an_answer(FIRST), an_answer(FIRST)]),
    ),
    (
        Rule.KEY,
        "answers of one key with two attempts",
        broken(answers=lambda _: [an_answer(FIRST, key="k"), an_answer(SECOND, key="k")]),
    ),
    (
        Rule.KEY,
        "two archived attempts of one key, an answer lost",
        broken(
            answers=lambda _: [an_answer(FIRST, key="k"), an_answer(status=None, key="k")],
            archived=lambda _: [archived(FIRST, request_id="k"), archived(SECOND, request_id="k")],
        ),
    ),
    (
        Rule.ARCHIVED_TWICE,
        "one attempt in two rows",
        broken(archived=lambda e: [*e.archived, e.archived[0]]),
    ),
    (
        Rule.ARCHIVE,
        "the error of another run",
        broken(archived=lambda _: [archived(FIRST), archived(SECOND, error_message=error_of(0))]),
    ),
    (
        Rule.RESET,
        "pending with an error",
        broken(executions=lambda _: [execution(status="pending")]),
    ),
    (
        Rule.RESET,
        "failed without one",
        broken(executions=lambda _: [execution(error_message=None)]),
    ),
    (Rule.GAP, "attempt 1 missing", broken(archived=lambda e: e.archived[1:])),
    (Rule.GAP, "retry_count too high", broken(executions=lambda _: [execution(retry_count=3)])),
    (Rule.GAP, "retry_count too low", broken(executions=lambda _: [execution(retry_count=1)])),
    (
        Rule.LOST_MESSAGE,
        "no job, its answer given",
        broken(deliveries=lambda e: [one for one in e.deliveries if one.kind is EVENT]),
    ),
    (Rule.LOST_MESSAGE, "no event, its answer lost", broken(deliveries=lambda e: e.deliveries[:3])),
    (
        Rule.TWO_IDS,
        "a second job of an attempt",
        broken(deliveries=lambda e: [*e.deliveries, delivery(JOB, SECOND)]),
    ),
    (
        Rule.SHARED_ID,
        "one id on two attempts",
        broken(
            deliveries=lambda _: [
                delivery(JOB, FIRST, MESSAGE_ID),
                delivery(JOB, SECOND, MESSAGE_ID),
            ]
        ),
    ),
    (
        Rule.SHARED_ID,
        "one id on job and event",
        broken(
            deliveries=lambda _: [
                delivery(JOB, FIRST, MESSAGE_ID),
                delivery(EVENT, FIRST, MESSAGE_ID),
            ]
        ),
    ),
    (
        Rule.UNFOUNDED,
        "a job of an attempt that never was",
        broken(deliveries=lambda e: [*e.deliveries, delivery(JOB, THIRD)]),
    ),
    (Rule.STRANDED, "a message left", broken(outbox=lambda _: [waiting()])),
    (Rule.DEAD_LETTER, "a dead letter", broken(outbox=lambda _: [waiting("too large")])),
    (
        Rule.FOREIGN,
        "an answer about another tenant's execution",
        broken(answers=lambda _: [an_answer(AttemptKey(NEIGHBOURS, 1))]),
    ),
    (
        Rule.FOREIGN,
        "an attempt by another tenant's user",
        broken(archived=lambda e: [archived(FIRST, retried_by=STRANGER), e.archived[1]]),
    ),
    (
        Rule.FOREIGN,
        "an attempt under another tenant",
        broken(archived=lambda e: [*e.archived, archived(AttemptKey(NEIGHBOURS, 1))]),
    ),
    (
        Rule.UNFOUNDED,
        "a message under another tenant",
        broken(deliveries=lambda e: [*e.deliveries, delivery(JOB, AttemptKey(NEIGHBOURS, 1))]),
    ),
    (
        Rule.CANARY,
        "a changed row",
        broken(canary=lambda e: evolve(e.canary, after=["(another row)"])),
    ),
    (
        Rule.CANARY,
        "a message of the tenant that no request is meant for",
        broken(
            deliveries=lambda e: [
                *e.deliveries,
                delivery(JOB, AttemptKey(ExecutionKey(CANARY, EXECUTION.execution_id), 1)),
            ]
        ),
    ),
    (
        Rule.DISORDER,
        "job 2 before job 1",
        broken(
            deliveries=lambda e: [
                e.deliveries[2],
                e.deliveries[0],
                e.deliveries[1],
                e.deliveries[3],
            ]
        ),
    ),
]


@pytest.mark.parametrize(
    ("rule", "evidence"),
    [
        pytest.param(rule, evidence, id=f"{rule.name}: {name}")
        for rule, name, evidence in VIOLATIONS
    ],
)
def test_a_violation_is_recognised(rule: Rule, evidence: Evidence) -> None:
    """Under its own rule, whatever else it breaks."""
    assert rule in {violation.rule for violation in audit(evidence)}


def test_every_rule_has_an_example() -> None:
    """No rule goes untested."""
    assert {rule for rule, _, _ in VIOLATIONS} == set(Rule)
