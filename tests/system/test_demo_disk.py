"""The demo on a file system of its own, which only root can make: full, and read-only."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.support.command import run
from tests.support.demo import READY, demo_in, processes_of
from tests.support.postgres_server import private_folder


@contextmanager
def file_system(size: str) -> Iterator[Path]:
    with private_folder() as folder:
        disk = folder / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "demo", disk], check=True)
        try:
            disk.chmod(0o711)
            yield disk
        finally:
            subprocess.run(["umount", disk], check=True)


def refused(data: Path) -> str:
    """The one line with which it ends."""
    ended = run("demo", "--port", "0", "--data", str(data))
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    return line


@pytest.mark.parametrize("size", ["4k", "1m", "20m", "38m", "40m"])
def test_a_disk_that_fills_at_any_moment_of_the_start_is_named(size: str) -> None:
    """By the first file, by initdb, by the server, by its database."""
    with file_system(size) as disk:
        line = refused(disk / "demo")

        assert str(disk / "demo") in line
        assert "free 200 MB there, or use another path" in line
        assert processes_of(disk) == set()


def test_a_disk_that_is_full_later_is_named_and_freed() -> None:
    """What was kept is there again when there is space."""
    with file_system("100m") as disk:
        with demo_in(disk / "demo") as demo:
            demo.until(READY)
            demo.end(SIGTERM)
        with (disk / "filling").open("wb") as filling:
            subprocess.run(
                ["cat", "/dev/zero"], stdout=filling, stderr=subprocess.PIPE, check=False
            )
        line = refused(disk / "demo")
        (disk / "filling").unlink()
        with demo_in(disk / "demo") as demo:
            demo.until(READY)
            status = demo.end(SIGTERM)

        assert "No space left on device" in line
        assert "free 200 MB there" in line
        assert status == 0


def test_a_disk_that_is_read_only_is_named() -> None:
    with file_system("1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        line = refused(disk / "demo")

    assert f"{disk / 'demo'}: Read-only file system" in line
    assert "make it writable for this user" in line
