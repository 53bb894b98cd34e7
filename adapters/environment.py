"""Environment variables as typed settings: parsers, and an error that names the variable."""

from collections.abc import Callable
from typing import Any

import environ

PREFIX = "AUTOMATION_RETRY"


class SettingsError(Exception):
    """A setting is missing or wrong. The message names the variable and what would be right."""

    def __init__(self, variable: str, problem: str) -> None:
        self.variable = variable
        super().__init__(f"{variable}: {problem}")


def variable(name: str, parse: Callable[[str], Any], meaning: str, **default: Any) -> Any:
    """An attribute that is read from the variable `name`.

    `parse` raises ValueError for a wrong value. `default`, if given, is parsed like any value.
    """

    def convert(value: Any) -> Any:
        try:
            return parse(value) if isinstance(value, str) else value
        except ValueError as error:
            raise SettingsError(name, str(error)) from error

    return environ.var(name=name, converter=convert, help=meaning, **default)


def yes_or_no(text: str) -> bool:
    match text.strip().lower():
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
    raise ValueError(f"must be true or false, not {text!r}")


def whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if text.isascii() and text.isdigit() and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"must be a whole number from {least} to {most}, not {text!r}")

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text in words:
            return text
        raise ValueError(f"must be one of {', '.join(words)}, not {text!r}")

    return parse


def urls(*schemes: str) -> Callable[[str], tuple[str, ...]]:
    """One URL, or several separated by commas; none where the text is empty."""

    def parse(text: str) -> tuple[str, ...]:
        parsed = tuple(url.strip() for url in text.split(",")) if text else ()
        if not all(url.startswith(schemes) for url in parsed):
            # The value may hold a password, so it is not repeated here.
            raise ValueError(f"must begin with {' or '.join(schemes)}")
        return parsed

    return parse
