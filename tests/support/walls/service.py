"""A service whose answers are looked at to the last byte, and the tenants in it."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from attrs import evolve, field, frozen

from automation_retry.application.idempotency import LIFETIME
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.http.app import route_table
from automation_retry.entrypoints.server import listening_socket
from automation_retry.entrypoints.settings import read_settings
from tests.support.factories import NOON
from tests.support.walls.calls import Call, Matrix, key_of, keyed_group_of, raced_groups_of
from tests.support.walls.executions import PAYLOAD_LIMIT, Answered
from tests.support.walls.keep_alive import Response, send_all
from tests.support.walls.resources import (
    NIL,
    RESOURCES,
    SHARED,
    foreign_id,
    own_id,
    own_targets,
)
from tests.support.walls.tenants import (
    ACTING,
    LOWER,
    UPPER,
    ChosenIds,
    Tenant,
    add_identities,
    shared_id,
)
from tests.support.world import World, serving

_CONNECTIONS = 16
_TOKENS = b"x-ratelimit-remaining"
_REMAINING = re.compile(rb'(?<="remaining":)[0-9]+')
_NOW = NOON + timedelta(hours=2)
_UNPREDICTABLE = (b"date", _TOKENS)
"""Headers with another value for any two requests, whoever else there is."""
_SHIFTS = {ACTING: 0, LOWER: 3, UPPER: 7}
"""How far the state of each tenant's resource of one id is from that of the acting tenant's."""


@frozen
class Answer:
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    tokens: int | None = field(eq=False)
    """What is left of the rate limit."""

    @classmethod
    def of(cls, response: Response) -> "Answer":
        body = _REMAINING.sub(b"", response.body)
        headers = tuple(
            (name, b"" if name.lower() in _UNPREDICTABLE else value)
            for name, value in response.headers
        )
        tokens = [value for name, value in response.headers if name.lower() == _TOKENS]
        return cls(response.status, headers, body, int(tokens[0]) if tokens else None)

    def naming(self, values: Mapping[str, str]) -> "Answer":
        """The same with `{name}` for these values, which it may repeat in lower case."""
        body = self.body
        for name, value in values.items():
            body = body.replace(value.lower().encode(), f"{{{name}}}".encode())
        return evolve(self, body=body)

    def holds(self, text: str) -> bool:
        parts = [self.body, *(value for _, value in self.headers)]
        return any(text.encode() in part for part in parts)


@frozen
class Site:
    """One service and the tenants in it."""

    world: World
    ids: ChosenIds
    tenants: Sequence[Tenant]

    @property
    def matrix(self) -> Matrix:
        return Matrix(route_table(self.world.container.api()))

    async def send(self, calls: Iterable[Call]) -> Sequence[Answer]:
        """The answers, in the order of the calls, of which some are sent at the same time."""
        requests = [call.request for call in calls]
        address = self.world.client.base_url
        answers = await send_all(
            address.host, address.port or 80, requests, connections=_CONNECTIONS
        )
        return [Answer.of(one) for one in answers]

    async def populate(self) -> None:
        """Gives neighbours the ids of the acting tenant, in other states, and some of their own."""
        for tenant in self.tenants:
            await add_identities(self.world.storage.directory, self.ids, tenant)
            for name in RESOURCES:
                await self._add_resources(tenant, name)

    async def _add_resources(self, tenant: Tenant, name: str) -> None:
        kind = RESOURCES[name]
        answered = () if tenant is ACTING else list(self._answered(tenant, name))
        failing = {one.resource_id: kind.states[0] for one in answered}
        await kind.create(self.world, tenant, {**self._wanted(tenant, name), **failing})
        await kind.keep_answers(self.world, answered)

    def _wanted(self, tenant: Tenant, name: str) -> Mapping[UUID, str]:
        """The states of a tenant's resources of one kind, by their ids."""
        states = RESOURCES[name].states
        wanted = {
            own_id(name, group, state): states[(index + _SHIFTS[tenant] * number) % len(states)]
            for number, group in enumerate([SHARED, *self.matrix.changed_groups()], start=1)
            for index, state in enumerate(states)
        }
        for row in self.matrix.protected:
            for group in raced_groups_of(row):
                wanted.update({own_id(name, group, state): state for state in states})
        if tenant is not ACTING:
            wanted.update({foreign_id(name, state): state for state in states})
            wanted[NIL] = states[0]
        return wanted

    def _answered(self, neighbour: Tenant, name: str) -> Iterator[Answered]:
        """Those that a neighbour's callers had under the idempotency keys to come.

        One neighbour for the same ids, the other one for others. Half of them have expired: a
        lookup of one's own must not remove them.
        """
        for row, role in self.matrix.changing:
            for number, target in enumerate(own_targets(row, keyed_group_of(row, role))):
                if name in target.values:
                    key = key_of(row, target)
                    other = shared_id(f"answered {name} {role.name} {key}")
                    yield Answered(
                        principal=role.principal(neighbour),
                        resource_id=UUID(target.values[name]) if neighbour is LOWER else other,
                        key=key,
                        at=_NOW - (number % 2) * 2 * LIFETIME,
                    )


@asynccontextmanager
async def site(
    database_url: str, tenants: Sequence[Tenant], *, by_tenant: bool = False
) -> AsyncIterator[Site]:
    """A running service with these tenants; its clock stands still.

    With `by_tenant`, no statement touches several tenants.
    """
    variables = {
        "DATABASE_URL": database_url,
        "AUTOMATION_RETRY_RELAY": "false",
        "AUTOMATION_RETRY_STATEMENTS_BY_TENANT": str(by_tenant).lower(),
        "AUTOMATION_RETRY_PAYLOAD_LIMIT_BYTES": str(PAYLOAD_LIMIT),
    }
    ids = ChosenIds()
    container = Container(settings=read_settings(variables), clock=lambda: _NOW, new_id=ids)
    with listening_socket("127.0.0.1", 0) as listening:
        async with serving(container, listening) as client:
            one = Site(World(container=container, client=client), ids, tenants)
            await one.populate()
            yield one
