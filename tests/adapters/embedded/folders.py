import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from automation_retry.adapters.embedded import EmbeddedPostgres


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that every account can enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        for postmaster in folder.rglob("data/postmaster.pid"):
            with EmbeddedPostgres(postmaster.parents[1]):
                pass
        shutil.rmtree(folder)


def copy_cluster(path: Path, copy: Path) -> None:
    """Copies a stopped cluster, which is faster than creating one; clusters are relocatable."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["/bin/cp", "-a", path, copy], check=True)


def modes_up_from(path: Path) -> dict[Path, int]:
    return {folder: stat.S_IMODE(folder.stat().st_mode) for folder in (path, *path.parents)}
