import pytest
from starlette.datastructures import QueryParams

from automation_retry.application import InvalidParameters
from automation_retry.entrypoints.http.wire.paging import PageQuery
from automation_retry.entrypoints.http.wire.parameters import read_query


@pytest.mark.parametrize(
    ("query", "page", "limit"),
    [
        ("", 1, 25),
        ("page=3", 3, 25),
        ("limit=1", 1, 1),
        ("limit=100&page=2147483647", 2_147_483_647, 100),
    ],
)
def test_page_and_limit_are_read(query: str, page: int, limit: int) -> None:
    """Both have defaults."""
    assert read_query(QueryParams(query), PageQuery) == PageQuery(page=page, limit=limit)


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
    with pytest.raises(InvalidParameters) as refused:
        read_query(QueryParams(query), PageQuery)

    highest = {"page": 2_147_483_647, "limit": 100}
    assert refused.value.expected == {
        name: f"one whole number from 1 to {highest[name]}" for name in wrong
    }


@pytest.mark.parametrize("query", ["pgae=2", "Page=2", "page=2&offset=0", "=1"])
def test_an_unknown_parameter_is_refused(query: str) -> None:
    """A misspelt one must not select another page than the one that was meant."""
    with pytest.raises(InvalidParameters) as refused:
        read_query(QueryParams(query), PageQuery)

    [expected] = refused.value.expected.values()
    assert expected == "no such parameter; there are: page, limit"
