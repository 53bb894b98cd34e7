import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from automation_retry.adapters.embedded import EmbeddedPostgres
from automation_retry.adapters.embedded.files import link_or_copy
from automation_retry.adapters.embedded.programs import wheel_bin_dir
from tests.adapters.embedded.folders import temporary_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    """The path of a cluster that all tests of a module share; each leaves it stopped."""
    with temporary_folder() as folder:
        path = folder / "var" / "db"
        with EmbeddedPostgres(path) as url, psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (text text)")
        yield path


@pytest.fixture(scope="package")
def wheel() -> Iterator[Path]:
    """A copy of PostgreSQL, laid out as in site-packages, that every account can read."""
    package = wheel_bin_dir().parents[1]
    with temporary_folder() as folder:
        for source in (package / "pginstall18", package.parent / f"{package.name}.libs"):
            target = folder / source.relative_to(package.parent)
            shutil.copytree(source, target, copy_function=link_or_copy)
        (folder / package.name / "__init__.py").touch()
        (folder / package.name).chmod(0o755)
        yield folder
