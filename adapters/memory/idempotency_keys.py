"""The answers that are kept for idempotency keys."""

from collections.abc import Mapping
from datetime import datetime

from attrs import define, field, frozen

from automation_retry.adapters.memory.json_copy import own_copy
from automation_retry.application import IdempotencyKey
from automation_retry.application.ports import IdempotencyKeys
from automation_retry.domain import Execution


@define(eq=False)
class IdempotencyRecords:
    """Executions as retries left them. No method awaits, so each is atomic among tasks."""

    _kept: dict[IdempotencyKey, Execution] = field(init=False, factory=dict)

    def find(self, key: IdempotencyKey, since: datetime) -> Execution | None:
        """The answer of a retry after `since`; an older one is removed."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.started_at <= since:
            del self._kept[key]
            return None
        return own_copy(kept)

    def any_kept(self, keys: Mapping[IdempotencyKey, Execution]) -> bool:
        """Whether one of the keys has an answer already."""
        return not self._kept.keys().isdisjoint(keys)

    def add(self, key: IdempotencyKey, execution: Execution) -> None:
        self._kept[key] = own_copy(execution)

    def remove(self, before: datetime, limit: int) -> int:
        old = [key for key, kept in self._kept.items() if kept.started_at <= before][:limit]
        for key in old:
            del self._kept[key]
        return len(old)


@frozen
class MemoryIdempotencyKeys(IdempotencyKeys):
    records: IdempotencyRecords

    async def remove(self, before: datetime, limit: int) -> int:
        return self.records.remove(before, limit)
