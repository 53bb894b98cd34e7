"""What the acting tenant is answered alone and beside its neighbours, and what became of these."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from uuid import UUID

from attrs import evolve, frozen

from automation_retry.application import MessageKind
from automation_retry.entrypoints.http.endpoint import Endpoint
from tests.support.walls.calls import Call
from tests.support.walls.rows import rows_of
from tests.support.walls.service import Answer, Site
from tests.support.walls.tenants import ACTING, NEIGHBOURS, OPERATOR, Tenant

Rows = Sequence[str]
Message = tuple[MessageKind, UUID, UUID, int]
"""Its kind, tenant, execution and attempt."""


@frozen(repr=False)
class Seen:
    call: Call
    alone: Answer
    beside: Answer

    @property
    def unnamed(self) -> Answer:
        """The answer beside neighbours, whatever the resource is that it was about."""
        return self.beside.naming(self.call.target.values)


@frozen(repr=False)
class Race:
    """All tenants sent the same at the same time."""

    call: Call
    alone: Answer
    """That of the acting tenant without neighbours."""
    together: Mapping[Tenant, Answer]


@frozen(kw_only=True, repr=False)
class Observation:
    """Without a representation: pytest would print megabytes."""

    table: Sequence[Endpoint]
    public: Sequence[Seen]
    refused: Sequence[Seen]
    """By roles that may not."""
    acting_before: Mapping[str, Rows]
    """What the acting tenant had before the refused requests, in each service."""
    acting_after: Mapping[str, Rows]
    reads: Sequence[Seen]
    changes: Sequence[Seen]
    keyed: Sequence[Seen]
    """Changes under idempotency keys."""
    replays: Sequence[Seen]
    """The same again."""
    refused_replays: Sequence[Seen]
    """The same again by roles that may not."""
    reads_of_changed: Sequence[Seen]
    neighbours_before: Mapping[str, Rows]
    """What the neighbours had before all of that."""
    neighbours_after: Mapping[str, Rows]
    first_by_neighbours: Mapping[str, Answer]
    """The first answer for the key whose id is that of the acting operator's."""
    raced: Sequence[Race]
    messages: Mapping[str, Sequence[Message]]
    """All jobs and events in the end, in each service."""

    @property
    def permitted(self) -> Sequence[Seen]:
        return [
            *self.reads, *self.changes, *self.keyed, *self.replays, *self.reads_of_changed
        ]  # fmt: skip

    @property
    def all(self) -> Sequence[Seen]:
        return [*self.public, *self.refused, *self.refused_replays, *self.permitted]


async def observed(alone: Site, beside: Site) -> Observation:
    async def seen(calls: Iterable[Call]) -> Sequence[Seen]:
        calls = list(calls)
        answers = zip(calls, await alone.send(calls), await beside.send(calls), strict=True)
        return [Seen(*one) for one in answers]

    async def acting() -> Mapping[str, Rows]:
        return {
            name: await rows_of(one.world, ACTING, last_used_at=False)
            for name, one in (("alone", alone), ("beside", beside))
        }

    async def neighbours() -> Mapping[str, Rows]:
        return {one.name: await rows_of(beside.world, one) for one in NEIGHBOURS}

    async def first_by_neighbours() -> Mapping[str, Answer]:
        call = next(one for one in matrix.reads() if one.role is OPERATOR)
        answers = await beside.send([evolve(call, tenant=one) for one in NEIGHBOURS])
        return dict(zip((one.name for one in NEIGHBOURS), answers, strict=True))

    matrix = alone.matrix
    # The order of the arguments is the order of the requests.
    return Observation(
        table=matrix.table,
        neighbours_before=await neighbours(),
        public=await seen(matrix.public()),
        acting_before=await acting(),
        refused=await seen(matrix.refused()),
        acting_after=await acting(),
        reads=await seen(matrix.reads()),
        changes=await seen(matrix.changes()),
        keyed=await seen(matrix.keyed_changes()),
        replays=await seen(matrix.keyed_changes()),
        refused_replays=await seen(matrix.refused_replays()),
        reads_of_changed=await seen(matrix.reads_of_changed()),
        neighbours_after=await neighbours(),
        first_by_neighbours=await first_by_neighbours(),
        raced=await _raced(alone, beside),
        messages={"alone": await _messages(alone), "beside": await _messages(beside)},
    )


async def _raced(alone: Site, beside: Site) -> Sequence[Race]:
    """Route by route, so that a list does not show the changes of another route."""
    races: list[Race] = []
    for _, group in groupby(alone.matrix.raced(), lambda call: call.place):
        calls = list(group)
        by_all = [evolve(call, tenant=tenant) for call in calls for tenant in beside.tenants]
        answers = iter(await beside.send(by_all))
        races += [
            Race(call, answer, {tenant: next(answers) for tenant in beside.tenants})
            for call, answer in zip(calls, await alone.send(calls), strict=True)
        ]
    return races


async def _messages(one: Site) -> Sequence[Message]:
    return [
        (kind, sent.retried.tenant, sent.retried.execution_id, sent.retried.attempt)
        for kind in MessageKind
        for sent in await one.world.sent(kind)
    ]
