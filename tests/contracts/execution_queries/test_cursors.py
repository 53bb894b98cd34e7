"""Where a list goes on after a position, while executions come, go and change."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st

from automation_retry.application import (
    Direction,
    ExecutionFilter,
    InvalidParameters,
    Position,
    SortField,
    Sorting,
)
from automation_retry.application.ports import Window
from automation_retry.domain import Execution
from tests.contracts.execution_queries import reference
from tests.contracts.execution_queries.rows import (
    changes,
    filters,
    row_lists,
    rows,
    sortings,
    stored,
)
from tests.contracts.storage import StorageUnderTest
from tests.support.factories import an_execution


@define
class Walk:
    """Somebody who pages through a list that others change."""

    storage: StorageUnderTest
    tenant: UUID
    wanted: ExecutionFilter
    sorting: Sorting
    present: dict[UUID, Execution]
    """What is stored now."""
    stayed: set[UUID]
    """What has been stored all the time as it is now."""
    known: set[UUID]
    """What has been stored at any time."""
    changed: set[UUID] = field(factory=set)
    seen: list[UUID] = field(factory=list)
    after: Position | None = None
    ended: bool = False

    async def step(self, doing: str, which: int, row: Execution, values: dict[str, Any]) -> None:
        """Reads on, or adds, deletes or changes an execution."""
        if doing == "read":
            await self.read(which % 3 + 1)
        elif doing == "add":
            if row.execution_id not in self.known:
                new = evolve(row, tenant=self.tenant)
                await self.storage.executions.add([new])
                self.present[new.execution_id] = new
                self.known.add(new.execution_id)
        elif self.present:
            old = list(self.present.values())[which % len(self.present)]
            self.stayed.discard(old.execution_id)
            if doing == "delete":
                await self.storage.neighbours.delete(old)
                del self.present[old.execution_id]
            else:
                self.changed.add(old.execution_id)
                self.present[old.execution_id] = evolve(old, **values)
                await self.storage.neighbours.overwrite(self.present[old.execution_id])

    async def read(self, limit: int) -> None:
        if not self.ended:
            window = Window(limit=limit, after=self.after, counted=False)
            listed = await self.storage.queries.executions(
                self.tenant, self.wanted, self.sorting, window, ()
            )
            self.seen += [one.execution_id for one in listed.items]
            self.after = listed.next
            self.ended = listed.next is None


@given(
    found=row_lists,
    wanted=filters(),
    sorting=sortings,
    steps=st.lists(
        st.tuples(
            st.sampled_from(["read", "read", "add", "delete", "change"]),
            st.integers(0, 1000),
            rows,
            changes,
        ),
        max_size=12,
    ),
)
@settings(max_examples=150, deadline=None)
async def test_a_walk_meets_what_stays_as_it_is_once(
    storage: StorageUnderTest,
    found: Sequence[Execution],
    wanted: ExecutionFilter,
    sorting: Sorting,
    steps: Sequence[tuple[str, int, Execution, dict[str, Any]]],
) -> None:
    """In order, whatever comes, goes or changes meanwhile; what comes is met once at most."""
    tenant, own = await stored(storage, found)
    present = {row.execution_id: row for row in own}
    walk = Walk(storage, tenant, wanted, sorting, present, set(present), set(present))
    for step in steps:
        await walk.step(*step)
    for _ in range(len(walk.known) + 1):
        await walk.read(3)
    stayed = [row for row in own if row.execution_id in walk.stayed]
    expected = reference.in_order(reference.matching(stayed, wanted), sorting)
    not_changed = [one for one in walk.seen if one not in walk.changed]

    assert walk.ended
    assert [one for one in walk.seen if one in walk.stayed] == [
        row.execution_id for row in expected
    ]
    assert len(not_changed) == len(set(not_changed))


@given(found=row_lists.filter(lambda one: len(one) > 1), sorting=sortings, which=st.integers(0, 99))
@settings(max_examples=100, deadline=None)
async def test_a_position_stays_when_its_execution_is_gone(
    storage: StorageUnderTest, found: Sequence[Execution], sorting: Sorting, which: int
) -> None:
    """The list goes on with what would have come next."""
    tenant, own = await stored(storage, found)
    expected = reference.in_order(own, sorting)
    last = which % (len(expected) - 1)
    upto = Window(limit=last + 1)
    first = await storage.queries.executions(tenant, ExecutionFilter(), sorting, upto, ())
    await storage.neighbours.delete(expected[last])
    window = Window(limit=1000, after=first.next, counted=False)
    rest = await storage.queries.executions(tenant, ExecutionFilter(), sorting, window, ())

    assert [one.execution_id for one in rest.items] == [
        row.execution_id for row in expected[last + 1 :]
    ]


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize(
    ("field", "key"),
    [
        (SortField.STARTED_AT, ""),
        (SortField.STARTED_AT, "17"),
        (SortField.STARTED_AT, "no time"),
        (SortField.STARTED_AT, "2026-13-01T00:00:00Z"),
        (SortField.FAILED_AT, "2026-11-23T12:00:00Z\0"),
        (SortField.COMPLETED_AT, "\ud800"),
        (SortField.DURATION_MS, ""),
        (SortField.DURATION_MS, "1e999"),
        (SortField.DURATION_MS, "ten"),
        (SortField.DURATION_MS, "2026-11-23T12:00:00Z"),
        (SortField.DURATION_MS, "1\0"),
        (SortField.DURATION_MS, "\udfff"),
    ],
)
async def test_a_key_that_is_no_value_is_refused(
    storage: StorageUnderTest, field: SortField, direction: Direction, key: str
) -> None:
    """The error names the cursor, where the key came from."""
    tenant, _ = await stored(storage, [an_execution()])
    window = Window(limit=1, after=Position(key=key, execution_id=uuid4()), counted=False)
    sorting = Sorting(by=field, direction=direction)

    with pytest.raises(InvalidParameters) as refused:
        await storage.queries.executions(tenant, ExecutionFilter(), sorting, window, ())
    assert list(refused.value.expected) == ["cursor"]


@given(key=st.text(max_size=30) | st.text("0123456789-+:TZ.einfa ", max_size=30), sorting=sortings)
@settings(max_examples=150, deadline=None)
async def test_any_key_is_a_place_or_refused(
    storage: StorageUnderTest, key: str, sorting: Sorting
) -> None:
    """A cursor that somebody made up fails in no other way, nor does it make another one fail."""
    tenant, _ = await stored(storage, [an_execution()])
    window = Window(limit=1, after=Position(key=key, execution_id=uuid4()), counted=False)
    with suppress(InvalidParameters):
        listed = await storage.queries.executions(tenant, ExecutionFilter(), sorting, window, ())

        assert len(listed.items) <= 1
