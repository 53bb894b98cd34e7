"""Pages of lists: what a query may ask for, and what an answer says about them."""

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, Final

from attrs import field, frozen

from automation_retry.adapters.wire.converter import CONVERTER
from automation_retry.adapters.wire.json_schema import Component, component_of
from automation_retry.application import Page, PageRequest
from automation_retry.entrypoints.http.wire.parameters import Parameters
from automation_retry.entrypoints.http.wire.values import Whole

_DEFAULTS: Final = PageRequest()
# The last page keeps (page - 1) * limit within the 64 bits of an SQL OFFSET.
_LAST_PAGE: Final = 2**31 - 1


@frozen(kw_only=True)
class PageQuery(Parameters):
    """The query of a list in pages."""

    page: Annotated[int, Whole(1, _LAST_PAGE), "The number of the page, from 1."] = _DEFAULTS.page
    limit: Annotated[int, Whole(1, 100), "How many items a page has."] = _DEFAULTS.limit


@frozen(kw_only=True)
class Pagination:
    page: int
    limit: int
    total: Annotated[int, "The number of items on all pages."]
    total_pages: int = field(alias="totalPages")
    has_next: bool = field(alias="hasNext")
    has_prev: bool = field(alias="hasPrev")


@frozen(kw_only=True)
class ListPagination:
    """Of a list that goes on with a cursor. With one, all that is about pages is null."""

    page: int | None
    limit: int
    total: Annotated[int | None, "How many match, up to 10,000."]
    total_pages: int | None = field(alias="totalPages")
    has_next: bool = field(alias="hasNext")
    has_prev: bool | None = field(alias="hasPrev")
    total_is_exact: Annotated[bool | None, "False if more than 10,000 match."] = field(
        alias="totalIsExact"
    )
    next_cursor: Annotated[
        str | None, "Goes on after this page; null exactly if no item follows."
    ] = field(alias="nextCursor")


def paginated(page: Page[Any], items: Sequence[Any]) -> dict[str, Any]:
    """A page in AlgaPSA's envelope."""
    pagination = Pagination(
        page=page.request.page,
        limit=page.request.limit,
        total=page.total,
        totalPages=page.total_pages,
        hasNext=page.has_next,
        hasPrev=page.has_prev,
    )
    return {"data": items, "pagination": CONVERTER.unstructure(pagination)}


@cache
def answer_with(data: Component) -> Component:
    """The schema of an answer with one thing."""
    return Component(
        f"{data.name}Answer",
        {"type": "object", "properties": {"data": data}, "required": ["data"]},
    )


@cache
def list_of(item: Component, **more: Component) -> Component:
    """The schema of an answer with a part of a list."""
    return Component(
        f"{item.name}List",
        {
            "type": "object",
            "properties": {
                "data": {"type": "array", "items": item},
                "pagination": component_of(ListPagination),
                **more,
            },
            "required": ["data", "pagination", *more],
        },
    )


@cache
def page_of(item: Component) -> Component:
    """The schema of an answer with a page of items."""
    return Component(
        f"{item.name}Page",
        {
            "type": "object",
            "properties": {
                "data": {"type": "array", "items": item},
                "pagination": component_of(Pagination),
            },
            "required": ["data", "pagination"],
        },
    )
