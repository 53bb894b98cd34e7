"""Committed messages until an engine has acknowledged them, in the order of their commits."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from attrs import define, field, frozen

from automation_retry.adapters.memory.message_address import MessageAddress
from automation_retry.application import Message, MessageKind


@frozen
class DeadLetter:
    """A message that the engine refused for good, and why."""

    message: Message
    reason: str


@define(eq=False)
class WaitingMessages:
    """The state of the outbox. Nothing here awaits, so each method is atomic among tasks."""

    _waiting: dict[MessageKind, dict[UUID, Message]] = field(
        init=False, factory=lambda: {kind: {} for kind in MessageKind}
    )
    _lent: set[UUID] = field(init=False, factory=set)
    _dead: list[DeadLetter] = field(init=False, factory=list)
    _ids: set[UUID] = field(init=False, factory=set)
    _addresses: set[MessageAddress] = field(init=False, factory=set)

    @property
    def dead_letters(self) -> Sequence[DeadLetter]:
        """What was refused, oldest refusal first."""
        return tuple(self._dead)

    def waiting(self, kind: MessageKind) -> Sequence[Message]:
        """What was neither delivered nor refused, oldest first, lent or not."""
        return tuple(self._waiting[kind].values())

    def check_new(self, messages: Sequence[Message]) -> None:
        """Raises ValueError when one has the id, or the kind and attempt, of another."""
        ids = [message.id for message in messages]
        addresses = [MessageAddress.of(message) for message in messages]
        twice = len(set(ids)) < len(ids) or len(set(addresses)) < len(addresses)
        if twice or not (self._ids.isdisjoint(ids) and self._addresses.isdisjoint(addresses)):
            raise ValueError("a message of this attempt is in the outbox already")

    def add(self, messages: Iterable[Message]) -> None:
        for message in messages:
            address = MessageAddress.of(message)
            self._ids.add(message.id)
            self._addresses.add(address)
            self._waiting[address.kind][message.id] = message

    def lend(self, kind: MessageKind, limit: int) -> Sequence[Message]:
        """The oldest message of each execution, unless it is lent already; up to `limit`."""
        lent: list[Message] = []
        executions = set[tuple[UUID, UUID]]()
        for message in self._waiting[kind].values():
            if len(lent) == limit:
                break
            execution = MessageAddress.of(message).execution
            if execution not in executions and message.id not in self._lent:
                lent.append(message)
            executions.add(execution)
        self._lent.update(message.id for message in lent)
        return tuple(lent)

    def take_back(self, messages: Iterable[Message]) -> None:
        """Ends a loan; what was not removed meanwhile may be lent again."""
        self._lent.difference_update(message.id for message in messages)

    def remove(self, messages: Iterable[Message]) -> None:
        for message in messages:
            address = MessageAddress.of(message)
            del self._waiting[address.kind][message.id]
            self._ids.remove(message.id)
            self._addresses.remove(address)

    def bury(self, letters: Iterable[DeadLetter]) -> None:
        """Sets refused messages aside; their ids and addresses stay taken."""
        for letter in letters:
            del self._waiting[MessageAddress.of(letter.message).kind][letter.message.id]
            self._dead.append(letter)

    def unbury(self) -> int:
        """Makes what was refused wait again, before what came later; how many there were."""
        letters, self._dead = self._dead, []
        for kind, waiting in self._waiting.items():
            risen = {
                letter.message.id: letter.message
                for letter in letters
                if MessageAddress.of(letter.message).kind is kind
            }
            self._waiting[kind] = risen | waiting
        return len(letters)
