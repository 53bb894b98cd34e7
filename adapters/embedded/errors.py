"""Errors of the embedded PostgreSQL. Each carries its data; its message says what to do."""

import errno
import os
import re
import unicodedata
from pathlib import Path

from automation_retry.adapters.extras import install_command
from automation_retry.adapters.printable import printable

_MAKE_SPACE = "free 200 MB there, or use another path"
_SIGNS_OF_A_FULL_DISK = (os.strerror(errno.ENOSPC), "Check free disk space")
_SEVERE = re.compile(r"(?:error|ERROR|FATAL|PANIC):\s+(.*)")


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be started, shared or stopped."""


class PlatformUnsupported(EmbeddedPostgresError):
    """The operating system has no Unix sockets with peer authentication."""

    def __init__(self, platform: str) -> None:
        self.platform = platform
        super().__init__(
            f"embedded:PATH needs Linux or macOS, not {platform}: it authenticates users by their "
            "accounts, on a Unix socket. Set DATABASE_URL to postgresql://… instead."
        )


class EmbeddedPostgresMissing(EmbeddedPostgresError):
    """The wheel with PostgreSQL's programs is not installed."""

    def __init__(self, wheel: str, version: int) -> None:
        self.wheel = wheel
        self.version = version
        super().__init__(
            f"embedded:PATH needs PostgreSQL {version} from the package {wheel}, which is not "
            f"installed: {install_command('embedded')}"
        )


class PathNotEnterable(EmbeddedPostgresError):
    """The account that PostgreSQL runs as cannot enter a folder of the path."""

    def __init__(self, path: Path, user: str, suggestion: Path, *, closed: Path) -> None:
        self.path = path
        self.user = user
        self.suggestion = suggestion
        self.closed = closed
        super().__init__(
            f"embedded:{path} cannot be used: PostgreSQL runs as the user {user}, who cannot enter "
            f"{closed}; the permissions of that folder are left as they are. "
            f"Use embedded:{suggestion} instead."
        )


class FolderRefused(EmbeddedPostgresError):
    """The path cannot be used for an embedded PostgreSQL; existing files are unchanged."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"embedded:{shown(path)} cannot be used: {reason}")

    @classmethod
    def because_of(cls, path: Path, error: OSError) -> "FolderRefused":
        """What the operating system said of a file or folder under `path`."""
        return cls(path, explained(error))


class DataVersionMismatch(EmbeddedPostgresError):
    """Another major version of PostgreSQL wrote the data."""

    def __init__(self, data_dir: Path, found: str, expected: int) -> None:
        self.data_dir = data_dir
        self.found = found
        self.expected = expected
        super().__init__(
            f"{data_dir} holds data of PostgreSQL {found}, and the installed one is {expected}: "
            "move them with pg_dump or pg_upgrade, or use another path"
        )


class AccountUnavailable(EmbeddedPostgresError):
    """There is no operating system account that PostgreSQL can run as."""

    def __init__(self, account: str, reason: str) -> None:
        self.account = account
        self.reason = reason
        super().__init__(f"PostgreSQL cannot run as the user {account}: {reason}")


class ProgramFailed(EmbeddedPostgresError):
    """One of PostgreSQL's programs failed; `output` is its output or what the server logged."""

    def __init__(self, program: str, path: Path, output: str) -> None:
        self.program = program
        self.path = path
        self.output = output
        remedy = _remedy(output) or f"{shown(path / 'log')} is the server's log"
        super().__init__(f"{program} failed on {shown(path)}: {_cause(output)}; {remedy}")


class ServerUnusable(EmbeddedPostgresError):
    """A server runs on the data, but does not respond or rejects the connection."""

    def __init__(self, data_dir: Path, pid: int, reason: str) -> None:
        self.data_dir = data_dir
        self.pid = pid
        self.reason = reason
        super().__init__(
            f"the PostgreSQL that runs on {shown(data_dir)} (process {pid}) cannot be used: "
            + "; ".join(filter(None, [reason, _remedy(reason)]))
        )


def is_plain(text: str) -> bool:
    """Whether it is valid Unicode without control characters, so that a terminal may show it."""
    return not any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def shown(path: str | Path) -> str:
    """The path as one line for a terminal."""
    return printable(str(path))


def explained(error: OSError) -> str:
    """What the operating system says of a folder that is written to, and what to do about it."""
    reason, remedy = error.strerror or str(error), "use another path"
    if error.errno in {errno.EEXIST, errno.ENOTDIR}:
        reason = "a file is in the way"
    elif error.errno in {errno.ENOSPC, errno.EDQUOT}:
        remedy = _MAKE_SPACE
    elif error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        remedy = "make it writable for this user, or use another path"
    where = f" ({shown(error.filename)})" if error.filename else ""
    return f"{reason}{where}; {remedy}"


def _remedy(output: str) -> str:
    return _MAKE_SPACE if any(sign in output for sign in _SIGNS_OF_A_FULL_DISK) else ""


def _cause(output: str) -> str:
    """The first error that is reported: later ones follow from it."""
    if severe := _SEVERE.search(output):
        return severe[1].strip()
    lines = output.strip().splitlines()
    return lines[-1].strip() if lines else "it printed nothing"
