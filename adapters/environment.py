"""Environment variables as typed settings: parsers, and an error that names the variable."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
import environ

PREFIX = "AUTOMATION_RETRY"

_VARIABLE: Final = "automation_retry.variable"

# More digits would take Python long to convert, or be refused with an error of its own.
_DIGITS: Final = "[0-9]{1,18}"
_TIMES: Final = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_SIZES: Final = {"B": 1, "KiB": 2**10, "MiB": 2**20, "kB": 10**3, "MB": 10**6}
_SHOWN_LENGTH: Final = 60


class SettingsError(Exception):
    """A setting is missing or wrong. The message names the variable and what would be right."""

    def __init__(self, variable: str, problem: str) -> None:
        self.variable = variable
        super().__init__(f"{variable}: {problem}")


def variable(
    name: str, parse: Callable[[str], Any], meaning: str, *, secret: bool = False, **default: Any
) -> Any:
    """An attribute that is read from the variable `name`.

    `parse` gets the text without surrounding spaces and raises ValueError for a wrong value.
    `default`, if given, is parsed like any value. A `secret` can also be read from a file.
    """

    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise SettingsError(name, "is not UTF-8") from error
        try:
            return parse(value.strip())
        except ValueError as error:
            # Not chained: the error of a parser that was called may hold the value.
            raise SettingsError(name, str(error)) from None

    attribute = environ.var(name=name, converter=convert, help=meaning, **default)
    attribute.metadata[_VARIABLE] = (name, secret)
    return attribute


def variables_of(settings: type[Any]) -> Iterator[tuple[str, bool]]:
    """The environment variables that a class of settings reads, and whether each is a secret."""
    for one in attrs.fields(settings):
        if _VARIABLE in one.metadata:
            yield one.metadata[_VARIABLE]


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…")


def yes_or_no(text: str) -> bool:
    match text.lower():
        case "true" | "t" | "1" | "yes" | "y" | "on":
            return True
        case "false" | "f" | "0" | "no" | "n" | "off":
            return False
    raise ValueError(f"must be true or false, not {_shown(text)}")


def whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if re.fullmatch(_DIGITS, text) and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"must be a whole number from {least} to {most}, not {_shown(text)}")

    return parse


def milliseconds(least: int, most: int) -> Callable[[str], int]:
    """A number of milliseconds, or one with another unit of time: `10s`."""
    return _quantity(_TIMES, "ms", "milliseconds", least, most)


def seconds(least: int, most: int) -> Callable[[str], int]:
    """A number of seconds, or one with another unit of time: `2min`."""
    return _quantity(_TIMES, "s", "seconds", least, most)


def size(least: int, most: int) -> Callable[[str], int]:
    """A number of bytes, or one with another unit: `1MiB`."""
    return _quantity(_SIZES, "B", "bytes", least, most)


def _quantity(
    units: Mapping[str, int], own: str, meaning: str, least: int, most: int
) -> Callable[[str], int]:
    factors = {name.lower(): factor for name, factor in units.items()}

    def parse(text: str) -> int:
        found = re.fullmatch(rf"({_DIGITS})\s*([A-Za-z]*)", text)
        factor = factors.get((found[2] or own).lower()) if found else None
        if found and factor:
            value, rest = divmod(int(found[1]) * factor, units[own])
            if not rest and least <= value <= most:
                return value
        raise ValueError(
            f"must be a whole number of {meaning} from {least} to {most}, or one with a unit "
            f"({', '.join(units)}), not {_shown(text)}"
        )

    return parse


def one_of(*words: str, **synonyms: str) -> Callable[[str], str]:
    """One of the words, in capitals or not; `synonyms` are accepted for them."""

    def parse(text: str) -> str:
        word = text.lower()
        word = synonyms.get(word, word)
        if word in words:
            return word
        raise ValueError(f"must be one of {', '.join(words)}, not {_shown(text)}")

    return parse
