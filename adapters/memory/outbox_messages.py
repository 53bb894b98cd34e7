"""Committed messages until their broker acknowledged them, in the order of their commits."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from attrs import define, field, frozen

from automation_retry.application import AttemptArchived, Message, MessageKind
from automation_retry.application.ports import DeadLetter, DeliveryFailure

Key = tuple[MessageKind, UUID, UUID, int]
"""Kind, tenant, execution_id, attempt: the outbox holds at most one message of each."""


def _key(message: Message) -> Key:
    return message.kind, message.tenant, message.execution_id, message.attempt


@frozen
class Waiting:
    """A message that is neither delivered nor dead."""

    message: Message
    committed_at: datetime


@define(eq=False)
class OutboxMessages:
    """The state of the outbox. No method awaits, so each is atomic among tasks."""

    _waiting: dict[MessageKind, dict[UUID, Waiting]] = field(
        init=False, factory=lambda: {kind: {} for kind in MessageKind}
    )
    _claimed: set[UUID] = field(init=False, factory=set)
    _dead: dict[UUID, tuple[Waiting, str]] = field(init=False, factory=dict)
    _ids: set[UUID] = field(init=False, factory=set)
    _keys: set[Key] = field(init=False, factory=set)
    _failures: dict[MessageKind, tuple[str, datetime]] = field(init=False, factory=dict)

    def note_failure(self, kind: MessageKind, reason: str, at: datetime) -> None:
        self._failures[kind] = reason, at

    def clear_failure(self, kind: MessageKind) -> None:
        self._failures.pop(kind, None)

    def failure(self, kind: MessageKind, now: datetime) -> DeliveryFailure | None:
        if kind not in self._failures:
            return None
        reason, at = self._failures[kind]
        return DeliveryFailure(reason=reason, age_s=(now - at).total_seconds())

    @property
    def dead_letters(self) -> Sequence[DeadLetter]:
        """The refused messages, the oldest first."""
        return tuple(
            DeadLetter(message=one.message, reason=why) for one, why in self._dead.values()
        )

    def waiting(self, kind: MessageKind) -> Sequence[Waiting]:
        """What is neither delivered nor dead, oldest first, claimed or not."""
        return tuple(self._waiting[kind].values())

    def check_new(self, messages: Sequence[Message]) -> None:
        """Raises AttemptArchived when one has the id, or the kind and attempt, of another."""
        ids = [message.id for message in messages]
        keys = [_key(message) for message in messages]
        twice = len(set(ids)) < len(ids) or len(set(keys)) < len(keys)
        if twice or not (self._ids.isdisjoint(ids) and self._keys.isdisjoint(keys)):
            raise AttemptArchived

    def last_attempt(self, tenant: UUID, execution_id: UUID) -> int:
        """The highest attempt of an execution's messages; 0 if there is none."""
        about = [key for key in self._keys if key[1:3] == (tenant, execution_id)]
        return max((attempt for *_, attempt in about), default=0)

    def add(self, messages: Iterable[Message], committed_at: datetime) -> None:
        for message in messages:
            self._ids.add(message.id)
            self._keys.add(_key(message))
            self._waiting[message.kind][message.id] = Waiting(message, committed_at)

    def claim(self, kind: MessageKind, limit: int) -> Sequence[Message]:
        """The oldest message of each execution, unless it is claimed already; up to `limit`."""
        claimed: list[Message] = []
        executions = set[tuple[UUID, UUID]]()
        for one in self._waiting[kind].values():
            if len(claimed) == limit:
                break
            message = one.message
            execution = message.tenant, message.execution_id
            if execution not in executions and message.id not in self._claimed:
                claimed.append(message)
            executions.add(execution)
        self._claimed.update(message.id for message in claimed)
        return tuple(claimed)

    def release(self, messages: Iterable[Message]) -> None:
        """Ends a claim; what was not removed meanwhile can be claimed again."""
        self._claimed.difference_update(message.id for message in messages)

    def remove(self, messages: Iterable[Message]) -> None:
        for message in messages:
            del self._waiting[message.kind][message.id]
            self._ids.remove(message.id)
            self._keys.remove(_key(message))

    def dead_letter(self, letters: Iterable[DeadLetter]) -> None:
        """Sets refused messages aside; their ids and keys stay taken."""
        for letter in letters:
            message = letter.message
            self._dead[message.id] = self._waiting[message.kind].pop(message.id), letter.reason

    def redrive(self) -> int:
        """Makes the dead letters wait again, before what came later; returns their number."""
        dead, self._dead = self._dead, {}
        for kind, waiting in self._waiting.items():
            revived = {id_: one for id_, (one, _) in dead.items() if one.message.kind is kind}
            self._waiting[kind] = revived | waiting
        return len(dead)
