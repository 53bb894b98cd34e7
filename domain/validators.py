"""What the values of the domain must be, as validators of attrs."""

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from attrs import Attribute

MAX_RETRY_COUNT: Final = 2**31 - 1


def is_count(value: object) -> bool:
    """Whether it is a whole number from 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_duration(value: object) -> bool:
    """Whether it is a finite number from 0."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= 0
    )


# Plain functions, because they run for every field of every execution: attrs' own validators,
# combined in lists, take several times as long as the rest of the construction. Their messages
# name no value: it may be a tenant's.
def moment(_instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if not isinstance(value, datetime):
        raise TypeError(f"{attribute.name} must be a datetime")
    if value.tzinfo is not UTC and value.utcoffset() is None:
        raise ValueError(f"{attribute.name} must carry a time zone")


def moment_or_none(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if value is not None:
        moment(instance, attribute, value)


def whole_or_none(_instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise TypeError(f"{attribute.name} must be a whole number")


def count(_instance: object, attribute: "Attribute[Any]", value: int) -> None:
    if not is_count(value):
        raise ValueError(f"{attribute.name} must be a whole number from 0")


def count_or_none(instance: object, attribute: "Attribute[Any]", value: int | None) -> None:
    if value is not None:
        count(instance, attribute, value)


def generation(_instance: object, attribute: "Attribute[Any]", value: int) -> None:
    if not is_count(value) or value > MAX_RETRY_COUNT:
        raise ValueError(f"{attribute.name} must be a whole number from 0 to {MAX_RETRY_COUNT}")


def attempt(instance: object, attribute: "Attribute[Any]", value: int) -> None:
    generation(instance, attribute, value)
    if value == 0:
        raise ValueError(f"{attribute.name} counts from 1")


def duration(_instance: object, attribute: "Attribute[Any]", value: float | None) -> None:
    if value is not None and not is_duration(value):
        raise ValueError(f"{attribute.name} must be a number of ms from 0")


def text(_instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{attribute.name} must be text")


def text_or_none(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if value is not None:
        text(instance, attribute, value)
