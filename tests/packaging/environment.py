"""Virtual environments beside this one: what they install is theirs, the dependencies are ours."""

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from tests.support.command import environment


@frozen
class Environment:
    """A virtual environment that finds the packages of the one that the tests run in."""

    folder: Path

    @classmethod
    def new(cls, folder: Path) -> "Environment":
        venv.create(folder, symlinks=True)
        made = cls(folder)
        # A folder that is named in a .pth file is searched last, and its own .pth files, among them
        # the one of our editable install, are not read.
        ours = Path(sysconfig.get_path("purelib"))
        (made.site_packages / "dependencies.pth").write_text(f"{ours}\n", "utf-8")
        return made

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        [found] = self.folder.glob("lib/python*/site-packages")
        return found

    def run(self, *arguments: str, cwd: Path, variables: Mapping[str, str] | None = None) -> str:
        """What its Python prints; fails with what it complained of."""
        return _output([str(self.python), *arguments], cwd, variables or {})

    def pip(self, *arguments: str) -> None:
        """Without an index and without build isolation: nothing is downloaded."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "--no-input"]
        _output([*pip, *arguments], self.folder, {"PIP_NO_INDEX": "1"})


def build(project: Path, target: str, folder: Path) -> Path:
    """The wheel or sdist (`target`) of a project, made in `folder`."""
    _output([sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)], project)
    [made] = folder.iterdir()
    return made


def type_check(file: Path, environment: Environment) -> str:
    """What mypy says of a file at its strictest, `Any` in an expression being an error."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--disallow-any-expr"),
            *("--disallow-any-unimported", "--python-executable", str(environment.python)),
            *("--cache-dir", str(file.parent / "mypy"), file.name),
        ],
        cwd=file.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stdout + ended.stderr


def _output(command: list[str], cwd: Path, variables: Mapping[str, str] | None = None) -> str:
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=environment(variables or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    return ended.stdout
