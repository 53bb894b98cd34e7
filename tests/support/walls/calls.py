"""Every request that follows from the route table: roles, routes, resources and their states."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from attrs import evolve, frozen

from automation_retry.entrypoints.http.endpoint import Endpoint
from tests.support.walls.examples import body_example, filled, queries
from tests.support.walls.keep_alive import Request
from tests.support.walls.resources import (
    EXAMPLE_IDS,
    FILTERS,
    SHARED,
    Target,
    other_targets,
    own_targets,
)
from tests.support.walls.tenants import (
    ACTING,
    NO_KEY,
    OPERATOR,
    RACER,
    ROLES,
    UNKNOWN,
    Role,
    Tenant,
)

_SAFE = ("GET", "HEAD")
_RACES = 4


@frozen(kw_only=True)
class Call:
    row: Endpoint
    role: Role
    target: Target
    query: str = ""
    tenant: Tenant = ACTING
    idempotency_key: str | None = None

    @property
    def request(self) -> Request:
        path = filled(self.row.path, self.target.values)
        body = body_example(self.row, EXAMPLE_IDS) or ""
        return Request(
            self.row.method,
            f"{path}?{filled(self.query, self.target.values)}" if self.query else path,
            self.headers,
            filled(body, self.target.values).encode(),
        )

    @property
    def place(self) -> tuple[str, ...]:
        """What asks for which route, whatever the resource."""
        return self.row.method, self.row.path, self.query, self.role.name

    @property
    def headers(self) -> Mapping[str, str]:
        return {
            "x-request-id": "walls",
            **self.role.headers(self.tenant),
            **self._idempotency_key(),
        }

    def _idempotency_key(self) -> Mapping[str, str]:
        return {} if self.idempotency_key is None else {"idempotency-key": self.idempotency_key}

    def __str__(self) -> str:
        keyed = "" if self.idempotency_key is None else " with an idempotency key"
        path = f"{self.row.path}?{self.query}" if self.query else self.row.path
        return f"{self.row.method} {path} of {self.target} by {self.role.name}{keyed}"


def group_of(row: Endpoint, role: Role) -> str:
    """The resources that one role changes by one route."""
    return f"{row.method} {row.path} by {role.name}"


def keyed_group_of(row: Endpoint, role: Role) -> str:
    """Those that it changes under idempotency keys."""
    return f"{group_of(row, role)}, keyed"


def raced_groups_of(row: Endpoint) -> Sequence[str]:
    """Those for which all tenants call one route at the same time.

    Several, since not all requests that could share a statement do.
    """
    return [f"{row.method} {row.path}, raced {number}" for number in range(_RACES)]


def key_of(row: Endpoint, target: Target) -> str:
    """The idempotency key for a resource; the same for each role and tenant."""
    return f"{row.method} {row.path} {target}"


def admits(row: Endpoint, role: Role) -> bool:
    needed = {row.permission} - {None}
    return role.admitted and needed <= role.permissions


@frozen
class Matrix:
    """The requests of the acting tenant, for one route table."""

    table: Sequence[Endpoint]

    @property
    def protected(self) -> Sequence[Endpoint]:
        return [row for row in self.table if row.protected]

    @property
    def safe(self) -> Sequence[Endpoint]:
        return [row for row in self.protected if row.method in _SAFE]

    @property
    def changing(self) -> Sequence[tuple[Endpoint, Role]]:
        """Each route that changes something, with each role that may use it."""
        return [
            (row, role)
            for row in self.protected
            if row.method not in _SAFE
            for role in ROLES
            if admits(row, role)
        ]

    def changed_groups(self) -> Sequence[str]:
        return [group(*one) for one in self.changing for group in (group_of, keyed_group_of)]

    def public(self) -> Iterator[Call]:
        for row in self.table:
            if not row.protected:
                for role in (NO_KEY, UNKNOWN, OPERATOR):
                    yield from _calls(row, role, SHARED)

    def refused(self) -> Iterator[Call]:
        """By roles that may not; nothing changes."""
        for row in self.protected:
            for role in ROLES:
                if not admits(row, role):
                    yield from _calls(row, role, SHARED)

    def reads(self) -> Iterator[Call]:
        for row in self.safe:
            for role in ROLES:
                if admits(row, role):
                    yield from _calls(row, role, SHARED)

    def changes(self) -> Iterator[Call]:
        for row, role in self.changing:
            yield from _calls(row, role, group_of(row, role))

    def keyed_changes(self) -> Iterator[Call]:
        """Sent twice, they are replayed."""
        for row, role in self.changing:
            for call in _calls(row, role, keyed_group_of(row, role)):
                yield evolve(call, idempotency_key=key_of(row, call.target))

    def refused_replays(self) -> Iterator[Call]:
        """The operator's keyed changes again, by roles that may not."""
        for change in self.keyed_changes():
            for role in ROLES:
                if change.role is OPERATOR and not admits(change.row, role):
                    yield evolve(change, role=role)

    def reads_of_changed(self) -> Iterator[Call]:
        for row in self.safe:
            for group in self.changed_groups():
                for target in own_targets(row, group):
                    query = next(queries(row, EXAMPLE_IDS, FILTERS))
                    yield Call(row=row, role=OPERATOR, target=target, query=query)

    def raced(self) -> Iterator[Call]:
        """What each tenant sends while the others send the same; the same states together.

        What is large shares statements only with what is large.
        """
        for row in self.protected:
            query = next(queries(row, EXAMPLE_IDS, FILTERS))
            groups = raced_groups_of(row)
            for targets in zip(*(own_targets(row, group) for group in groups), strict=True):
                for group, target in zip(groups, targets, strict=True):
                    key = f"{key_of(row, target)} of {group}"
                    yield Call(row=row, role=RACER, target=target, query=query, idempotency_key=key)


def _calls(row: Endpoint, role: Role, group: str) -> Iterator[Call]:
    """With each query; once for each resource where requests change them."""
    for query in islice(queries(row, EXAMPLE_IDS, FILTERS), None if row.method in _SAFE else 1):
        for targets in (own_targets, other_targets):
            for target in targets(row, group):
                yield Call(row=row, role=role, target=target, query=query)
