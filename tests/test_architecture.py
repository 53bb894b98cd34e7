"""The shape of the house, as far as a program can see it."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from automation_retry.application import ports

ROOT = Path(__file__).parent.parent
PROTOCOLS = [
    port for name in ports.__all__ if getattr(port := getattr(ports, name), "_is_protocol", False)
]


def test_imports_point_down_only() -> None:
    """The import contracts of pyproject.toml hold."""
    command = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run(
        [command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout


def test_only_the_entrypoints_know_the_container() -> None:
    """dependency_injector is named nowhere else."""
    naming = [
        path.relative_to(ROOT).as_posix()
        for folder in ("domain", "application", "adapters", "entrypoints")
        for path in (ROOT / folder).rglob("*.py")
        if "dependency_injector" in path.read_text("utf-8")
    ]

    assert naming == ["entrypoints/container.py"]


@pytest.mark.parametrize("port", PROTOCOLS, ids=lambda port: port.__name__)
def test_a_port_carries_its_contract(port: type) -> None:
    """The port and each of its methods say what they promise."""
    methods = {
        name: inspect.getdoc(method)
        for name, method in vars(port).items()
        if inspect.isfunction(method) and name not in {"__init__", "__subclasshook__"}
    }

    assert port.__doc__
    assert methods
    assert [name for name, doc in methods.items() if not doc] == []


def test_the_top_level_holds_what_the_layout_knows() -> None:
    """Nothing else appears there, but dot-files and what git ignores."""
    ignored = {"var", "build", "dist", "__pycache__"}
    found = {
        entry
        for entry in (path.name for path in ROOT.iterdir())
        if not entry.startswith(".") and entry not in ignored and not entry.endswith(".egg-info")
    }

    assert found == {
        *("domain", "application", "adapters", "entrypoints", "tests"),
        *("pyproject.toml", "Makefile", "README.md", "requirements.lock"),
        *("CHANGELOG.md", "LICENSE"),
    }
