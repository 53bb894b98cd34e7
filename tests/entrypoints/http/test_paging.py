import pytest
from starlette.datastructures import QueryParams

from automation_retry.application import PageRequest
from automation_retry.entrypoints.http.wire.errors import InvalidQuery
from automation_retry.entrypoints.http.wire.paging import page_request


@pytest.mark.parametrize(
    ("query", "page", "limit"),
    [
        ("", 1, 25),
        ("page=3", 3, 25),
        ("limit=1", 1, 1),
        ("limit=100&page=2147483647&unknown=x", 2_147_483_647, 100),
    ],
)
def test_page_and_limit_are_read(query: str, page: int, limit: int) -> None:
    """Both have defaults, and other parameters are ignored."""
    assert page_request(QueryParams(query)) == PageRequest(page=page, limit=limit)


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("page=0", ["page"]),
        ("page=-1", ["page"]),
        ("page=", ["page"]),
        ("page=2147483648", ["page"]),
        ("page=" + "9" * 5000, ["page"]),
        ("page=%D9%A1", ["page"]),
        ("page=1%0A", ["page"]),
        ("page=1&page=1", ["page"]),
        ("page=1.5", ["page"]),
        ("limit=0", ["limit"]),
        ("limit=101", ["limit"]),
        ("limit=%FF", ["limit"]),
        ("limit=many&page=first", ["page", "limit"]),
    ],
)
def test_anything_else_is_refused_by_name(query: str, wrong: list[str]) -> None:
    """With what would be right."""
    with pytest.raises(InvalidQuery) as refused:
        page_request(QueryParams(query))

    highest = {"page": 2_147_483_647, "limit": 100}
    assert refused.value.expected == {
        name: f"one whole number from 1 to {highest[name]}" for name in wrong
    }
