import json
import math
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation_retry.adapters.wire.json_values import dumps

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Lone surrogates too: JSON can spell them, so a storage may hold them.
    | st.text(st.characters(exclude_categories=[]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=[]), max_size=3), inner, max_size=4
        )
    ),
    max_leaves=20,
)


# orjson writes the first; the second takes the fallback for what it cannot.
INTEGERS = [1, 2**70]


def nested(levels: int) -> Any:
    value: Any = "bottom"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


@given(json_values)
def test_whatever_json_can_hold_survives(value: Any) -> None:
    """Written and read again it is the same."""
    assert json.loads(dumps(value)) == value


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("integer", INTEGERS)
def test_a_float_that_json_cannot_spell_is_null(odd: float, integer: int) -> None:
    """On the fast path as on the slow one."""
    assert json.loads(dumps({"odd": [odd], "integer": integer})) == {
        "odd": [None],
        "integer": integer,
    }


@pytest.mark.parametrize("levels", [10, 300, 20_000])
def test_depth_does_not_matter(levels: int) -> None:
    """A payload may be nested deeper than Python's stack."""
    assert dumps(nested(levels)).count(b'{"in":') == levels // 2


@pytest.mark.parametrize("integer", INTEGERS)
def test_ids_and_other_mappings_are_written(integer: int) -> None:
    """A caller in the same process may have stored a read-only mapping."""
    value = {"id": UUID(int=1), "of": MappingProxyType({"a": (1, True, None)}), "n": integer}

    assert json.loads(dumps(value)) == {
        "id": str(UUID(int=1)),
        "of": {"a": [1, True, None]},
        "n": integer,
    }


@pytest.mark.parametrize("integer", INTEGERS)
def test_what_json_cannot_hold_is_refused(integer: int) -> None:
    """Rather than written as something else."""
    with pytest.raises(TypeError, match="set is not JSON"):
        dumps([integer, {1, 2}])
