"""The resources that paths, queries and bodies name, by the names of their parameters."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Protocol
from uuid import UUID

from attrs import field, frozen

from automation_retry.domain import failure_group_id
from automation_retry.entrypoints.http.endpoint import Endpoint
from tests.support.walls.examples import body_example, names_in, queries
from tests.support.walls.executions import Answered, Executions, rule_of
from tests.support.walls.tenants import ACTING, Tenant, shared_id
from tests.support.world import World

NIL = UUID(int=0)
SHARED = "shared"
"""The resources that no request changes."""


class Kind(Protocol):
    """One kind of resource. The first of its states is one in which every request succeeds."""

    @property
    def states(self) -> Sequence[str]: ...

    @property
    def example(self) -> str:
        """The id of such a resource in the examples of the route table."""
        ...

    async def create(self, world: World, tenant: Tenant, wanted: Mapping[UUID, str]) -> None:
        """Creates resources with these ids, which may exist in other tenants, in these states."""
        ...

    async def keep_answers(self, world: World, answers: Sequence[Answered]) -> None:
        """Changes resources that are in the first state, as these requests would have."""
        ...


RESOURCES: Mapping[str, Kind] = {"execution_id": Executions()}


class Whose(Enum):
    OWN = "own"
    FOREIGN = "foreign"
    NOBODY = "nobody's"
    NONE = "no resource"


@frozen(kw_only=True)
class Target:
    """What a request names."""

    whose: Whose
    state: str = ""
    values: Mapping[str, str] = field(factory=dict)
    """By the name of the parameter."""

    def __str__(self) -> str:
        return f"{self.whose.value} {self.state}".strip()


EXAMPLE_IDS = {kind.example: name for name, kind in RESOURCES.items()}


def parameters(row: Endpoint) -> Sequence[str]:
    """The resources that a row's path, query and body name.

    Raises:
        LookupError: no kind of resource is known for one of them.
    """
    in_path = names_in(row.path)
    for name in in_path:
        if name not in RESOURCES:
            raise LookupError(
                f"{row.method} {row.path}: the walls between tenants are not tested for"
                f" {{{name}}}; add what makes such a resource, in each of its states, to RESOURCES"
                " in tests/support/walls/resources.py"
            )
    in_body = names_in(body_example(row, EXAMPLE_IDS) or "")
    in_query = [name for query in queries(row, EXAMPLE_IDS, FILTERS) for name in names_in(query)]
    return list(dict.fromkeys([*in_path, *in_query, *in_body]))


def own_id(name: str, group: str, state: str) -> UUID:
    """The id of a resource of the acting tenant; its neighbours have it too, in other states."""
    return shared_id(f"own {name} {group} {state}")


def foreign_id(name: str, state: str) -> UUID:
    """The id of a resource that only the neighbours have."""
    return shared_id(f"foreign {name} {state}")


# In each tenant other executions match: they have the same rules and failure groups, and texts with
# marks that differ. A cursor of another tenant is refused, see test_list_refusals.py.
_RULE = rule_of(own_id("execution_id", SHARED, "failed"))
FILTERS: Mapping[str, str] = {
    "status": "failed,completed",
    "automation_rule_id": str(_RULE),
    "failure_group_id": failure_group_id(_RULE, f"message of {ACTING.mark}"),
    "failed_from": "2026-11-23T00:00:00Z",
    "failed_to": "2026-11-24T00:00:00Z",
    "started_from": "2026-11-23T00:00:00Z",
    "started_to": "2026-11-24T00:00:00Z",
    "duration_max_ms": "10000",
    "has_errors": "true",
    "search": "MESSAGE of",
    "fields": "status,error_message",
    "cursor": "no-cursor",
}
"""Values of parameters whose schemas have none."""


def own_targets(row: Endpoint, group: str) -> Iterator[Target]:
    """One in each state; of several parameters one varies at a time."""
    names = parameters(row)
    first = {name: str(own_id(name, group, RESOURCES[name].states[0])) for name in names}
    if not names:
        yield Target(whose=Whose.NONE)
    for name in names:
        for state in RESOURCES[name].states:
            value = str(own_id(name, group, state))
            yield Target(whose=Whose.OWN, state=state, values={**first, name: value})


def other_targets(row: Endpoint, group: str) -> Iterator[Target]:
    """What the acting tenant does not have, while its neighbours may."""
    names = parameters(row)
    first = {name: str(own_id(name, group, RESOURCES[name].states[0])) for name in names}
    for name in names:
        states = RESOURCES[name].states
        foreign = {state: str(foreign_id(name, state)) for state in states}
        foreign["in capitals"] = foreign[states[0]].upper()
        foreign["nil"] = str(NIL)
        for state, value in foreign.items():
            yield Target(whose=Whose.FOREIGN, state=state, values={**first, name: value})
        missing = str(shared_id(f"missing {name}"))
        yield Target(whose=Whose.NOBODY, state="missing", values={**first, name: missing})
