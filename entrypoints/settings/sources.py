"""Where the values of settings come from: variables, and files that variables name."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from automation_retry.adapters.environment import (
    PREFIX,
    SettingsError,
    variables_of,
)

_BEGINNING: Final = f"{PREFIX}_"
_FILE: Final = "_FILE"
_MAX_FILE_BYTES: Final = 65_536


@frozen
class Sources:
    """The variables that some classes of settings know."""

    classes: tuple[type[Any], ...]

    @property
    def names(self) -> frozenset[str]:
        known = {name for one in self.classes for name, _ in variables_of(one)}
        return frozenset(known | {f"{name}{_FILE}" for name in self._secrets})

    @property
    def _secrets(self) -> Iterable[str]:
        return [name for one in self.classes for name, secret in variables_of(one) if secret]

    def read(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The variables that are set; secrets also from the files that `…_FILE` names.

        One that is empty or blank counts as unset.

        Raises:
            SettingsError: a file cannot be read, or both forms of a secret are set.
        """
        given = {name: value for name, value in variables.items() if value.strip()}
        for name in self._secrets:
            file = given.get(f"{name}{_FILE}")
            if file is None:
                continue
            if name in given:
                raise SettingsError(name, f"and {name}{_FILE} are both set; unset one of them")
            given[name] = _content(f"{name}{_FILE}", file.strip())
        return given

    def unknown(self, variables: Mapping[str, str]) -> Mapping[str, str | None]:
        """Variables that begin like ours and that nothing reads, each with what may be meant."""
        ours = {name.removeprefix(_BEGINNING): name for name in self.names}
        return {
            name: ours.get(_similar(name.removeprefix(_BEGINNING), ours))
            for name in sorted(variables)
            if name.startswith(_BEGINNING) and name not in self.names
        }

    def misspelt(self, name: str, variables: Mapping[str, str]) -> str | None:
        """A variable that is set and may be meant to be `name`."""
        return _similar(name, [one for one in variables if one not in self.names]) or None


def _similar(name: str, names: Iterable[str]) -> str:
    """The most similar name; empty where none is."""
    return next(iter(get_close_matches(name, sorted(names), n=1, cutoff=0.75)), "")


def _content(variable: str, file: str) -> str:
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(_MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        raise SettingsError(variable, f"cannot read {file!r}: {reason}") from None
    if len(content) > _MAX_FILE_BYTES:
        raise SettingsError(variable, f"{file!r} is larger than {_MAX_FILE_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise SettingsError(variable, f"{file!r} is not UTF-8") from None
    if not text:
        raise SettingsError(variable, f"{file!r} is empty")
    return text
