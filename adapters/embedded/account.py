"""The operating system account that PostgreSQL runs as, and the folders that it can enter.

PostgreSQL refuses to run as root. Started by root it therefore runs as an unprivileged account;
started by anybody else, as that user. Whether an account can enter a folder is tested by running a
program as that account, because permission bits alone do not decide (ACLs, mounts, LSMs).
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from automation_retry.adapters.embedded.errors import (
    AccountUnavailable,
    FolderRefused,
    PathNotEnterable,
)
from automation_retry.adapters.embedded.signals import signals_held

if sys.platform != "win32":
    import pwd

SYSTEM_ACCOUNT = "automation-retry"
"""The account that PostgreSQL runs as when root starts it on a new path."""

_ROOT = 0
_FIRST_NOT_ENTERABLE = """
for folder; do
  [ -d "$folder" ] || exit 0
  [ -x "$folder" ] || { printf '%s' "$folder"; exit 1; }
done
"""


def running_as_root() -> bool:
    return os.geteuid() == _ROOT


@frozen
class Account:
    """An operating system account, as in the user database."""

    name: str
    uid: int
    gid: int
    home: Path

    def run(
        self,
        *command: str | Path,
        cwd: Path = Path("/"),
        env: Mapping[str, str] | None = None,
        output: int = subprocess.PIPE,
    ) -> subprocess.CompletedProcess[str]:
        """Runs the program as this account and waits for it; stdout and stderr go to `output`.

        It runs in a session of its own, so that Ctrl-C in the terminal does not reach it, and
        inherits none of our environment, file descriptors or supplementary groups.
        """
        other = self.uid != os.geteuid()
        return subprocess.run(  # noqa: S603 - no shell; the programs are the wheel's and the system's
            command,
            cwd=cwd,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=self.uid if other else None,
            group=self.gid if other else None,
            extra_groups=[] if other else None,
            start_new_session=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )

    def sh(self, script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs a shell script as this account."""
        return self.run("/bin/sh", "-c", script, "sh", *arguments)

    def ensure_folder(self, folder: Path, *, mode: int) -> None:
        """Creates the folder if it is missing; sets its owner to this account, and its mode."""
        folder.mkdir(mode=0o700, exist_ok=True)
        # Through a descriptor: a symbolic link placed there meanwhile must not be followed.
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if running_as_root():
                os.fchown(descriptor, self.uid, self.gid)
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)


def current_account() -> Account:
    """The account of this process."""
    uid = os.geteuid()
    try:
        return _account(pwd.getpwuid(uid))
    except KeyError:
        raise AccountUnavailable(
            str(uid), "this user id has no name in the user database (/etc/passwd)"
        ) from None


def database_account(data_dir: Path) -> Account:
    """The account that PostgreSQL runs as on this data folder, which may not exist yet.

    The current account, unless that is root; then the owner of the data, or for new data
    `SYSTEM_ACCOUNT`, which is created if it is missing.

    Raises:
        AccountUnavailable: there is no such account, and it cannot be created.
        FolderRefused: the data belong to root.
    """
    if not running_as_root():
        return current_account()
    try:
        owner = data_dir.stat().st_uid
    except (FileNotFoundError, NotADirectoryError):
        return _system_account()
    if owner == _ROOT:
        raise FolderRefused(data_dir, "it belongs to root, and PostgreSQL refuses to run as root")
    try:
        return _account(pwd.getpwuid(owner))
    except KeyError:
        raise AccountUnavailable(
            str(owner), f"it owns {data_dir}, but has no name in the user database (/etc/passwd)"
        ) from None


def require_enterable(path: Path, account: Account) -> None:
    """Checks that the account can enter every existing folder of the path.

    Raises:
        PathNotEnterable: it cannot; nothing was changed.
    """
    closed = account.sh(_FIRST_NOT_ENTERABLE, *reversed(path.parents), path)
    if closed.returncode:
        raise PathNotEnterable(
            path, account.name, _alternative(path, account), closed=Path(closed.stdout)
        )


def enterable_path(path: Path) -> Path:
    """The path if PostgreSQL's account can enter it, else the suggestion of the error.

    Raises:
        FolderRefused: there can be no such path.
    """
    path = path.resolve()
    try:
        require_enterable(path, database_account(path / "data"))
    except PathNotEnterable as error:
        return error.suggestion
    except OSError as error:
        raise FolderRefused.because_of(path, error) from error
    return path


def _alternative(path: Path, account: Account) -> Path:
    """A folder that the account can enter; the same one for the same path."""
    home = Path("/var/lib") if running_as_root() else account.home / ".local/state"
    return home / "automation-retry" / hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _system_account() -> Account:
    try:
        return _account(pwd.getpwnam(SYSTEM_ACCOUNT))
    except KeyError:
        reason = _add_system_account()
    try:
        return _account(pwd.getpwnam(SYSTEM_ACCOUNT))
    except KeyError:
        raise AccountUnavailable(
            SYSTEM_ACCOUNT,
            f"it does not exist and could not be created ({reason}). Create a system account "
            "of this name, or start the service as a user other than root.",
        ) from None


def _add_system_account() -> str:
    """Tries to create the account, which another process may also do; returns useradd's output."""
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return "there is no useradd"
    options = ("--system", "--no-create-home", "--home-dir", "/nonexistent")
    with signals_held():  # killed halfway it would leave the user database locked
        added = subprocess.run(  # noqa: S603 - a system program with fixed arguments
            [useradd, *options, "--shell", "/usr/sbin/nologin", SYSTEM_ACCOUNT],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            check=False,
        )
    return added.stdout.strip()


def _account(entry: "pwd.struct_passwd") -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, Path(entry.pw_dir))
