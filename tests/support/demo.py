"""`automation-retry demo` in a folder, and what of it runs."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from automation_retry.adapters.embedded import EmbeddedPostgres
from tests.support.command import COMMAND, Running, running
from tests.support.postgres_server import private_folder

READY = "Ctrl-C ends it."


def demo_command(data: Path) -> list[str]:
    return [COMMAND, "demo", "--port", "0", "--data", str(data)]


@contextmanager
def demo_folder() -> Iterator[Path]:
    """A folder for a demo; nothing of it may run at the end, whatever became of the demo."""
    with private_folder() as folder:
        data = folder / "demo"
        try:
            yield data
        finally:
            if (data / "postgres" / "data").exists():
                with EmbeddedPostgres(data / "postgres"):
                    pass


@contextmanager
def demo_in(data: Path, variables: Mapping[str, str] | None = None) -> Iterator[Running]:
    with running(demo_command(data), variables) as demo:
        yield demo


def processes_of(data: Path) -> set[str]:
    """The processes that work in the folder or were started with its name."""
    if sys.platform != "linux":
        return set()
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            folder = (process / "cwd").readlink()
        except OSError:  # it has ended, or belongs to somebody else
            continue
        if folder.is_relative_to(data) or str(data) in command:
            found.add(f"{process.name} {command}")
    return found
