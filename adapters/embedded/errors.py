"""Errors of the embedded PostgreSQL. Each carries its data; its message says what to do."""

from pathlib import Path

from automation_retry.adapters.extras import install_command


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
        super().__init__(f"embedded:{path} cannot be used: {reason}")


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
    """One of PostgreSQL's programs failed; `output` is the end of its output or the server log."""

    def __init__(self, program: str, output: str) -> None:
        self.program = program
        self.output = output
        super().__init__(f"{program} failed: {output or '(no output)'}")


class ServerUnusable(EmbeddedPostgresError):
    """A server runs on the data, but does not respond or rejects the connection."""

    def __init__(self, data_dir: Path, pid: int, reason: str) -> None:
        self.data_dir = data_dir
        self.pid = pid
        self.reason = reason
        super().__init__(
            f"the PostgreSQL that runs on {data_dir} (process {pid}) cannot be used: {reason}"
        )
