import json
import math
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation_retry.entrypoints.http.json_response import encode

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Lone surrogates too: JSON can spell them, so a store may hold them.
    | st.text(st.characters(exclude_categories=[]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=[]), max_size=3), inner, max_size=4
        )
    ),
    max_leaves=20,
)


def nested(levels: int) -> Any:
    value: Any = "bottom"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


@given(json_values)
def test_whatever_json_can_hold_survives(value: Any) -> None:
    """Written and read again it is the same."""
    assert json.loads(encode(value)) == value


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("company", [1, 2**70])
def test_a_float_that_json_has_no_word_for_is_null(odd: float, company: int) -> None:
    """Whichever way the rest of the value makes it go."""
    assert json.loads(encode({"odd": [odd], "company": company})) == {
        "odd": [None],
        "company": company,
    }


@pytest.mark.parametrize("levels", [10, 300, 20_000])
def test_depth_does_not_matter(levels: int) -> None:
    """A payload may be nested deeper than Python's stack."""
    assert encode(nested(levels)).count(b'{"in":') == levels // 2


@pytest.mark.parametrize("company", [1, 2**70])
def test_ids_and_other_mappings_are_written(company: int) -> None:
    """An in-process engine may have stored a read-only mapping."""
    value = {"id": UUID(int=1), "of": MappingProxyType({"a": (1, True, None)}), "n": company}

    assert json.loads(encode(value)) == {
        "id": str(UUID(int=1)),
        "of": {"a": [1, True, None]},
        "n": company,
    }


@pytest.mark.parametrize("company", [1, 2**70])
def test_what_json_cannot_hold_is_refused(company: int) -> None:
    """Rather than written as something else."""
    with pytest.raises(TypeError, match="set is not JSON"):
        encode([company, {1, 2}])
