"""What the tests of the walls between tenants make of a new row of the route table."""

from typing import Annotated, Any, ClassVar
from urllib.parse import urlencode

import pytest
from attrs import field, frozen
from starlette.requests import Request
from starlette.responses import Response

from automation_retry.adapters.wire.json_schema import Schema
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ
from automation_retry.entrypoints.http.endpoint import (
    Call,
    Endpoint,
    ProtectedEndpoint,
    PublicEndpoint,
    Success,
    Tag,
)
from automation_retry.entrypoints.http.wire.error_table import EXAMPLE_ID
from automation_retry.entrypoints.http.wire.parameters import Parameters
from automation_retry.entrypoints.http.wire.values import Whole
from tests.support.walls.calls import Matrix, keyed_group_of
from tests.support.walls.executions import STATES
from tests.support.walls.resources import FILTERS, SHARED, foreign_id, own_id
from tests.support.walls.tenants import OPERATOR, ROLES


class Text:
    """A kind of value of which the schema names none."""

    schema: ClassVar[Schema] = {"type": "string"}
    expected = "a text"

    def of_text(self, text: str) -> str:
        return text


@frozen
class Named(Parameters):
    name: Annotated[str, Text(), "A name."]


class Id(Text):
    """A kind of value that names a resource."""

    schema: ClassVar[Schema] = {"type": "string", "format": "uuid", "examples": [str(EXAMPLE_ID)]}


@frozen
class OfExecution(Parameters):
    execution_id: Annotated[str, Id(), "Which."] | None = None


@frozen
class Limited(Parameters):
    limit: Annotated[int, Whole(1, 9), "How many."] | None = None
    search: Annotated[str, Text(), "A text."] | None = None


@frozen
class Dated(Limited):
    year: Annotated[int, Whole(2001, 2099), "Which."] = field(kw_only=True)


async def nothing(_: Call) -> Response:
    return Response()


async def nothing_public(_: Request) -> Response:
    return Response()


def row(path: str, method: str = "GET", **values: Any) -> Endpoint:
    defaults: dict[str, Any] = {
        "permission": AUTOMATION_READ if method == "GET" else AUTOMATION_EXECUTE,
        "operation_id": "new",
        "tag": "New",
        "summary": "A new route",
        "success": Success(meaning="It is done."),
        "handler": nothing,
    }
    return ProtectedEndpoint(method=method, path=path, **defaults | values)


def test_a_new_route_is_asked_about_resources_of_each_state_and_tenant() -> None:
    """By every role."""
    asked = [*(matrix := Matrix([row("/new/{execution_id}")])).refused(), *matrix.reads()]
    paths = {call.request.target for call in asked}

    assert {call.role.name for call in asked} == {role.name for role in ROLES}
    for state in STATES:
        assert f"/new/{own_id('execution_id', SHARED, state)}" in paths
        assert f"/new/{foreign_id('execution_id', state)}" in paths


def test_a_new_route_that_changes_something_gets_resources_for_each_role() -> None:
    """A change would be seen by the next request."""
    matrix = Matrix([row("/new/{execution_id}", "POST")])
    own = [
        call.request.target
        for call in (*matrix.changes(), *matrix.keyed_changes())
        if call.target.state in STATES and call.target.whose.name == "OWN"
    ]

    assert len(own) == len(set(own)) == len(STATES) * 2 * len(matrix.changing)


def test_ids_in_the_example_of_a_body_are_those_of_resources() -> None:
    """Of the caller's and of other tenants, as in a path."""
    new = row("/new", "POST", body=Named, body_example={"ids": [str(EXAMPLE_ID)]})
    bodies = {call.request.body for call in Matrix([new]).keyed_changes()}

    mine = own_id("execution_id", keyed_group_of(new, OPERATOR), "failed")
    assert f'{{"ids": ["{mine}"]}}'.encode() in bodies
    assert f'{{"ids": ["{foreign_id("execution_id", "failed")}"]}}'.encode() in bodies


def test_ids_in_a_query_are_those_of_resources() -> None:
    """Where the schema of its parameter has the example's id."""
    new = row("/new", query=OfExecution)
    asked = {call.request.target for call in Matrix([new]).reads()}

    mine = own_id("execution_id", SHARED, "failed")
    assert f"/new?execution_id={mine}" in asked
    assert f"/new?execution_id={foreign_id('execution_id', 'failed')}" in asked


def test_a_query_is_asked_without_parameters_and_with_each() -> None:
    """Alone: others may contradict it. Texts are those that executions of all tenants have."""
    asked = {call.request.target for call in Matrix([row("/new", query=Limited)]).reads()}

    assert asked == {"/new", "/new?limit=1", f"/new?{urlencode({'search': FILTERS['search']})}"}


def test_what_is_required_is_always_asked() -> None:
    """Alone, and beside each other parameter."""
    asked = {call.request.target for call in Matrix([row("/new", query=Dated)]).reads()}

    assert {one for one in asked if "search" not in one} == {
        "/new?year=2001",
        "/new?year=2001&limit=1",
    }


def test_a_new_public_route_is_asked_with_a_key_and_without() -> None:
    new = PublicEndpoint(
        method="GET",
        path="/new",
        operation_id="new",
        tag=Tag("Walls", ""),
        summary="A new route",
        success=Success(meaning="It is done."),
        handler=nothing_public,
    )

    assert [call.role.name for call in Matrix([new]).public()] == [
        "no key",
        "unknown key",
        "operator",
    ]


@pytest.mark.parametrize(
    ("new", "what_to_add"),
    [
        (row("/new/{batch_id}"), r"GET /new/{batch_id}: .* for {batch_id}; add .* to RESOURCES"),
        (row("/new", "POST", body=Named), "POST /new: .* give the row a `body_example`"),
        (
            row(
                "/new",
                "POST",
                body=Named,
                body_example={"id": "0" * 8 + "-0000" * 3 + "-" + "0" * 12},
            ),
            "POST /new: .* names 00000000-.* to RESOURCES",
        ),
        (row("/new", query=Named), "GET /new: .* parameter name; give its schema"),
    ],
    ids=["parameter", "body", "id in a body", "query"],
)
def test_a_row_that_cannot_be_asked_says_what_to_add(new: Endpoint, what_to_add: str) -> None:
    matrix = Matrix([new])

    with pytest.raises(LookupError, match=what_to_add):
        list(matrix.refused())
