"""`make` in one checkout, twice at once; packages are those of this environment."""

import shutil
import signal
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.command import ROOT, Running, running
from tests.support.demo import READY, processes_of
from tests.support.postgres_server import private_folder

FOLDERS = (".package", "domain", "application", "adapters", "entrypoints")
FILES = ("Makefile", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture
def checkout() -> Iterator[Path]:
    """With nothing to download: its environments find our packages."""
    with private_folder() as folder:
        checkout = folder / "checkout"
        for name in FOLDERS:
            shutil.copytree(ROOT / name, checkout / name, symlinks=True)
        for name in FILES:
            shutil.copy(ROOT / name, checkout)
        (checkout / "requirements.lock").touch()
        yield checkout


@contextmanager
def make_run(checkout: Path, demo: str) -> Iterator[Running]:
    command = ["make", "--directory", str(checkout), "run", f"DEMO={demo}"]
    ours = sysconfig.get_path("purelib")
    with running(command, {"PYTHONPATH": ours, "PIP_NO_INDEX": "1", "MAKEFLAGS": ""}) as make:
        yield make


def ended(make: Running) -> int:
    assert make.process.stdout
    make.printed.extend(make.process.stdout)
    return make.process.wait(60)


def test_two_first_runs_at_once_install_once(checkout: Path) -> None:
    """The second waits, finds the environment installed, and uses it."""
    with make_run(checkout, "--help") as one, make_run(checkout, "--help") as other:
        statuses = [ended(one), ended(other)]

    printed = one.printed + other.printed
    assert statuses == [0, 0], printed
    assert sum("Installing into .venv" in line for line in printed) == 1
    assert sum("Waiting until no other make uses .venv" in line for line in printed) == 1
    assert sum("Serve a demo tenant" in line for line in printed) == 2


def test_an_environment_in_use_is_not_replaced(checkout: Path) -> None:
    """After an upgrade, `make` waits until those that run before it have ended."""
    data = checkout.parent / "demo"
    with make_run(checkout, f"--port 0 --data {data}") as runs:
        health = runs.until("is ready at").split()[-1] + "/healthz"
        runs.until(READY)
        (checkout / "requirements.lock").touch()
        with make_run(checkout, "--help") as upgrades:
            upgrades.until("Waiting until no other make uses .venv")
            alive = httpx.get(health).status_code
            runs.end(signal.SIGINT, group=True)
            upgraded = ended(upgrades)

    assert (alive, upgraded) == (200, 0)
    assert "The demo has ended; its data are kept.\n" in runs.printed
    assert any("Installing into .venv" in line for line in upgrades.printed)
    assert processes_of(data) == set()
