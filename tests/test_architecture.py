"""The structure of the code, as far as a program can check it."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from automation_retry.application import ports

ROOT = Path(__file__).parent.parent
FLOORS = ("domain", "application", "adapters", "entrypoints")
SOURCES = [path for folder in (*FLOORS, "tests") for path in (ROOT / folder).rglob("*.py")]
MOST_LINES = 300
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
        for path in SOURCES
        if "tests" not in path.parts and "dependency_injector" in path.read_text("utf-8")
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


def test_no_file_is_too_long() -> None:
    """One with more than 300 lines is two."""
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in SOURCES
    }

    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_statements_name_their_columns() -> None:
    """A star would let a later migration break running processes of this version."""
    # In Python, what follows the star of a signature is a comma.
    star = re.compile(r"(SELECT|RETURNING)\s+(\w+\.)?\*(\s|,|$)|,\s+(\w+\.)?\*(\s|$)", re.MULTILINE)
    statements = [
        *(ROOT / "adapters" / "postgres" / "sql").glob("*.py"),
        *(ROOT / "adapters" / "postgres" / "migrations").glob("*.sql"),
        *(ROOT / "adapters" / "procrastinate").glob("*.py"),
    ]
    found = [path.name for path in statements if star.search(path.read_text("utf-8"))]

    assert len(statements) > len(list((ROOT / "adapters" / "procrastinate").glob("*.py")))
    assert found == []
