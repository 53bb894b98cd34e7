from uuid import UUID

import pytest

from automation_retry.domain import InvalidExecutionId, parse_execution_id


@pytest.mark.parametrize(
    ("text", "execution_id"),
    [
        (
            "0b9d2c1e-7a54-4f7c-9d3e-2f1a6b8c4d5e",
            UUID("0b9d2c1e-7a54-4f7c-9d3e-2f1a6b8c4d5e"),
        ),
        (
            "0B9D2C1E-7a54-4F7C-9d3e-2F1A6B8C4D5E",
            UUID("0b9d2c1e-7a54-4f7c-9d3e-2f1a6b8c4d5e"),
        ),
        ("00000000-0000-0000-0000-000000000000", UUID(int=0)),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", UUID(int=2**128 - 1)),
        (
            "0b9d2c1e-7a54-1f7c-0d3e-2f1a6b8c4d5e",
            UUID("0b9d2c1e-7a54-1f7c-0d3e-2f1a6b8c4d5e"),
        ),
    ],
    ids=["lower case", "mixed case", "nil", "max", "no known version or variant"],
)
def test_reads_the_documented_form(text: str, execution_id: UUID) -> None:
    """Hexadecimal digits as 8-4-4-4-12 are an id, in any case and of any version."""
    assert parse_execution_id(text) == execution_id


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("not-an-id", id="words"),
        pytest.param("{0b9d2c1e-7a54-4f7c-9d3e-2f1a6b8c4d5e}", id="braces"),
        pytest.param("urn:uuid:0b9d2c1e-7a54-4f7c-9d3e-2f1a6b8c4d5e", id="URN"),
        pytest.param("0b9d2c1e7a544f7c9d3e2f1a6b8c4d5e", id="no hyphens"),
        pytest.param("0b9d-2c1e7a54-4f7c-9d3e-2f1a6b8c4d5e", id="hyphens elsewhere"),
        pytest.param("0b9d2c1e-7a54-4f7c-9d3e-2f1a6b8c4d5e\n", id="trailing newline"),
        pytest.param(" 0b9d2c1e-7a54-4f7c-9d3e-2f1a6b8c4d5e", id="leading space"),
        pytest.param("0b9d2c1e-7a54-4f7c-9d3e-2f1a6b8c4d5", id="a digit short"),
        pytest.param("0b9d2c1e-7a54-4f7c-9d3e-2f1a6b8c4d5ef", id="a digit long"),
        pytest.param("gb9d2c1e-7a54-4f7c-9d3e-2f1a6b8c4d5e", id="not hexadecimal"),
        pytest.param("\u0660b9d2c1e-7a54-4f7c-9d3e-2f1a6b8c4d5e", id="Arabic digit"),
        pytest.param("\uff10b9d2c1e-7a54-4f7c-9d3e-2f1a6b8c4d5e", id="full-width digit"),
        pytest.param("0b9d2c1e\u20107a54-4f7c-9d3e-2f1a6b8c4d5e", id="another hyphen"),
    ],
)
def test_refuses_everything_else(text: str) -> None:
    """Whatever else Python would take for a UUID is not an execution id."""
    with pytest.raises(InvalidExecutionId, match=r"^Invalid automation ID format$") as refused:
        parse_execution_id(text)
    assert refused.value.text == text
