"""Pages of a listing, counted from 1."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from attrs import Attribute, field, frozen

Item = TypeVar("Item")


def _from_1(_instance: object, attribute: "Attribute[int]", value: int) -> None:
    if value < 1:
        raise ValueError(f"{attribute.name} must be 1 or more, got {value}")


@frozen(kw_only=True)
class PageRequest:
    """Which page is asked for. Raises ValueError where `page` or `limit` is less than 1."""

    page: int = field(default=1, validator=_from_1)
    limit: int = field(default=25, validator=_from_1)

    @property
    def offset(self) -> int:
        """How many items come before the page."""
        return (self.page - 1) * self.limit


@frozen(kw_only=True)
class Page(Generic[Item]):
    """One page of a listing."""

    items: Sequence[Item]
    request: PageRequest
    total: int
    """The number of items on all pages."""

    @property
    def total_pages(self) -> int:
        return -(-self.total // self.request.limit)

    @property
    def has_next(self) -> bool:
        return self.request.page < self.total_pages

    @property
    def has_prev(self) -> bool:
        return self.request.page > 1
