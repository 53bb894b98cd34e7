"""The answers that are kept for idempotency keys."""

from collections.abc import Iterable
from datetime import datetime

from attrs import define, field, frozen

from automation_retry.application import IdempotencyKey
from automation_retry.application.ports import IdempotencyKeys
from automation_retry.domain import Execution


@define(eq=False)
class IdempotencyRecords:
    """Executions as retries left them. No method awaits, so each is atomic among tasks."""

    _kept: dict[IdempotencyKey, tuple[datetime, Execution]] = field(init=False, factory=dict)

    def find(self, key: IdempotencyKey, since: datetime) -> Execution | None:
        """The answer of a retry after `since`; an older one is removed."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        retried_at, execution = kept
        if retried_at <= since:
            del self._kept[key]
            return None
        return execution

    def any_kept(self, keys: Iterable[IdempotencyKey]) -> bool:
        """Whether one of the keys has an answer already."""
        return not self._kept.keys().isdisjoint(keys)

    def add(self, key: IdempotencyKey, execution: Execution, retried_at: datetime) -> None:
        self._kept[key] = retried_at, execution

    def remove(self, before: datetime, limit: int) -> int:
        old = [key for key, (at, _) in self._kept.items() if at <= before][:limit]
        for key in old:
            del self._kept[key]
        return len(old)


@frozen
class MemoryIdempotencyKeys(IdempotencyKeys):
    records: IdempotencyRecords

    async def remove(self, before: datetime, limit: int) -> int:
        return self.records.remove(before, limit)
