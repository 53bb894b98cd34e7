"""What a 200 promises, checked against the records of a round."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from enum import Enum
from uuid import UUID

from attrs import frozen

from automation_retry.application import MessageKind
from tests.crash.records import (
    Answer,
    AttemptKey,
    Delivery,
    Evidence,
    ExecutionKey,
    StoredExecution,
    error_of,
)

_Subject = tuple[MessageKind, AttemptKey]
"""The attempt that a message is about, and the kind of message."""
_Ids = set[UUID]

_LEGAL = {200, 400, 404, 409, 503, None}


class Rule(Enum):
    """What must never be seen."""

    ANSWER = "an answer that the contract does not allow"
    UNANSWERED = "a request without an answer long after its time"
    SILENCE = "a service that does not do its work in time, although all faults are over"
    ENDED = "a process that ended by itself, or not in order"
    PROMISE = "a 200 without its archived attempt"
    PROMISED_TWICE = "several 200 for one attempt, of which only one may be no replay"
    KEY = "an idempotency key that took effect more than once"
    ARCHIVED_TWICE = "an attempt archived more than once"
    ARCHIVE = "an archived attempt that does not hold what failed"
    RESET = "an execution that is not in the state that its last retry and its engine left"
    GAP = "attempts that are not 1…n with n = retry_count"
    LOST_MESSAGE = "a retry whose job or event reached no consumer"
    TWO_IDS = "several messages of a kind for one attempt, which look like two retries"
    SHARED_ID = "one id on different messages"
    UNFOUNDED = "a message without its retry"
    STRANDED = "a message left in the outbox"
    DEAD_LETTER = "a dead letter"
    FOREIGN = "something of one tenant in another"
    CANARY = "a change in the tenant that no request is meant for"
    DISORDER = "a later attempt that overtook an earlier one"


@frozen
class Violation:
    rule: Rule
    text: str

    def __str__(self) -> str:
        return f"{self.rule.name}: {self.text}"


def audit(evidence: Evidence) -> list[Violation]:
    """Every violation of every rule; none for a service that keeps its promises."""
    return [
        *_answers(evidence),
        *_promises(evidence),
        *_keys(evidence),
        *_archive(evidence),
        *_executions(evidence),
        *_messages(evidence),
        *_order(evidence.deliveries),
        *_outbox(evidence),
        *_tenants(evidence),
    ]


def _answers(evidence: Evidence) -> Iterator[Violation]:
    existing = {execution.key for execution in evidence.executions}
    for answer in evidence.answers:
        hidden = answer.asked not in existing
        if (
            answer.status not in _LEGAL
            or (answer.status == 404 and not hidden)
            or (answer.status in {200, 400, 409} and hidden)
        ):
            yield Violation(Rule.ANSWER, f"{answer.status} {answer.reason} for {answer.asked}")
        if answer.status is None and answer.reason.endswith("Timeout"):
            took = f"{answer.ended_at - answer.sent_at:.1f} s, sent at {answer.sent_at:.1f} s"
            yield Violation(Rule.UNANSWERED, f"{answer.reason} after {took}, for {answer.asked}")
    for ending in evidence.endings:
        yield Violation(Rule.ENDED, ending)
    if not evidence.settled:
        yield Violation(Rule.SILENCE, "requests were not accepted, or messages not delivered")


def _promises(evidence: Evidence) -> Iterator[Violation]:
    archived = {row.attempt for row in evidence.archived}
    promised: defaultdict[AttemptKey, list[Answer]] = defaultdict(list)
    for answer in evidence.answers:
        if answer.status != 200:
            continue
        if answer.promised is None:
            yield Violation(Rule.ANSWER, f"200 without an execution for {answer.asked}")
        else:
            promised[answer.promised].append(answer)
    for attempt, answers in promised.items():
        if attempt not in archived:
            yield Violation(Rule.PROMISE, str(attempt))
        first = [answer for answer in answers if not answer.replayed]
        if len(first) > 1:
            times = ", ".join(f"{answer.ended_at:.3f} s" for answer in first)
            yield Violation(Rule.PROMISED_TWICE, f"{attempt} at {times}")


def _keys(evidence: Evidence) -> Iterator[Violation]:
    """Each key is also the request id of all requests that carry it, and is archived with those."""
    effects: defaultdict[str, set[AttemptKey]] = defaultdict(set)
    keys = {answer.key for answer in evidence.answers}
    for answer in evidence.answers:
        if answer.key and answer.promised:
            effects[answer.key].add(answer.promised)
    for row in evidence.archived:
        if row.request_id in keys and row.request_id:
            effects[row.request_id].add(row.attempt)
    for key, attempts in effects.items():
        if len(attempts) > 1:
            yield Violation(Rule.KEY, f"{key}: {'; '.join(map(str, sorted(attempts)))}")


def _archive(evidence: Evidence) -> Iterator[Violation]:
    rows = Counter(row.attempt for row in evidence.archived)
    for attempt, count in rows.items():
        if count > 1:
            yield Violation(Rule.ARCHIVED_TWICE, f"{attempt}, {count} times")
    for row in evidence.archived:
        if row.error_message != error_of(row.attempt.attempt - 1):
            yield Violation(Rule.ARCHIVE, f"{row.attempt} holds {row.error_message!r}")


def _executions(evidence: Evidence) -> Iterator[Violation]:
    attempts: defaultdict[ExecutionKey, set[int]] = defaultdict(set)
    for row in evidence.archived:
        attempts[row.attempt.execution].add(row.attempt.attempt)
    for execution in evidence.executions:
        numbers = attempts.pop(execution.key, set())
        if numbers != set(range(1, execution.retry_count + 1)):
            yield Violation(
                Rule.GAP,
                f"{execution.key}: attempts {sorted(numbers)}, retry_count {execution.retry_count}",
            )
        if execution.error_message != _expected_error(execution):
            yield Violation(
                Rule.RESET,
                f"{execution.key} is {execution.status} in generation {execution.retry_count}"
                f" with error {execution.error_message!r}",
            )
    for key in attempts:
        yield Violation(Rule.FOREIGN, f"attempts are archived of {key}, which does not exist")


def _expected_error(execution: StoredExecution) -> str | None:
    return error_of(execution.retry_count) if execution.status == "failed" else None


def _messages(evidence: Evidence) -> Iterator[Violation]:
    ids: defaultdict[_Subject, _Ids] = defaultdict(set)
    subjects: defaultdict[UUID, set[_Subject]] = defaultdict(set)
    for delivery in evidence.deliveries:
        ids[delivery.kind, delivery.attempt].add(delivery.id)
        subjects[delivery.id].add((delivery.kind, delivery.attempt))
    archived = {row.attempt for row in evidence.archived}
    for attempt in archived:
        for kind in MessageKind:
            if (kind, attempt) not in ids:
                yield Violation(Rule.LOST_MESSAGE, f"{kind.value} of {attempt}")
    for (kind, attempt), of_attempt in ids.items():
        if attempt not in archived:
            yield Violation(Rule.UNFOUNDED, f"{kind.value} of {attempt}")
        if len(of_attempt) > 1:
            listed = ", ".join(sorted(map(str, of_attempt)))
            yield Violation(Rule.TWO_IDS, f"{kind.value} of {attempt}: {listed}")
    for message_id, of_id in subjects.items():
        if len(of_id) > 1:
            listed = "; ".join(
                f"{kind.value} of {attempt}" for kind, attempt in sorted(of_id, key=str)
            )
            yield Violation(Rule.SHARED_ID, f"{message_id}: {listed}")


def _order(deliveries: Iterable[Delivery]) -> Iterator[Violation]:
    """Only the first delivery of each attempt counts: redeliveries may come at any time."""
    seen: set[_Subject] = set()
    latest: dict[tuple[MessageKind, ExecutionKey], int] = {}
    for delivery in deliveries:
        kind, attempt = delivery.kind, delivery.attempt
        if (kind, attempt) in seen:
            continue
        seen.add((kind, attempt))
        before = latest.get((kind, attempt.execution), 0)
        if attempt.attempt < before:
            yield Violation(Rule.DISORDER, f"{kind.value} of {attempt} came after attempt {before}")
        latest[kind, attempt.execution] = max(before, attempt.attempt)


def _outbox(evidence: Evidence) -> Iterator[Violation]:
    for row in evidence.outbox:
        message = f"{row.kind.value} of {row.attempt}"
        if row.dead_reason is None:
            yield Violation(Rule.STRANDED, message)
        else:
            yield Violation(Rule.DEAD_LETTER, f"{message}: {row.dead_reason}")


def _tenants(evidence: Evidence) -> Iterator[Violation]:
    canary = evidence.canary
    for answer in evidence.answers:
        if answer.promised and answer.promised.execution != answer.asked:
            yield Violation(
                Rule.FOREIGN, f"asked for {answer.asked}, answered with {answer.promised}"
            )
    for row in evidence.archived:
        tenant = row.attempt.execution.tenant
        if evidence.users.get(row.retried_by) != tenant:
            yield Violation(
                Rule.FOREIGN,
                f"{row.attempt} was retried by another tenant's user, {row.retried_by}",
            )
    touched = {row.attempt for row in evidence.archived}
    touched |= {delivery.attempt for delivery in evidence.deliveries}
    touched |= {row.attempt for row in evidence.outbox}
    for attempt in sorted(touched):
        if attempt.execution.tenant == canary.tenant:
            yield Violation(Rule.CANARY, str(attempt))
    for row_text in set(canary.before) ^ set(canary.after):
        yield Violation(Rule.CANARY, row_text)
