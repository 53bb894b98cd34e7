import stat
from contextlib import ExitStack
from pathlib import Path

import pytest

from automation_retry.adapters.embedded import (
    DataVersionMismatch,
    EmbeddedPostgres,
    FolderRefused,
    PathNotEnterable,
    enterable_path,
)
from tests.adapters.embedded.accounts import ROOT
from tests.adapters.embedded.database import rows, socket_dir
from tests.adapters.embedded.folders import copy_cluster, modes_up_from


def test_a_private_parent_folder_is_named_and_stays_private(folder: Path) -> None:
    """The error names the folder that the account cannot enter, and suggests another path."""
    closed = folder / "closed"
    closed.mkdir()
    closed.chmod(0o700 if ROOT else 0o600)
    before = modes_up_from(closed)

    with pytest.raises(PathNotEnterable) as refused:
        EmbeddedPostgres(closed / "db").start()

    assert refused.value.closed == closed
    assert f"embedded:{refused.value.suggestion}" in str(refused.value)
    assert enterable_path(closed / "db") == refused.value.suggestion
    assert enterable_path(refused.value.suggestion) == refused.value.suggestion
    assert modes_up_from(closed) == before
    closed.chmod(0o700)
    assert list(closed.iterdir()) == []


def test_parent_folders_keep_their_modes(folder: Path, path: Path) -> None:
    """A start changes no permissions of existing parent folders."""
    before = modes_up_from(folder)
    with EmbeddedPostgres(path):
        assert modes_up_from(folder) == before


def test_a_path_too_long_for_a_socket_works(path: Path, folder: Path) -> None:
    """Where the path cannot be a socket address, the socket gets a private temporary folder."""
    odd = folder / 'it\'s "a" $HOME, 100% \\ path' / ("long" * 30)
    copy_cluster(path, odd)
    with ExitStack() as users:
        url = users.enter_context(EmbeddedPostgres(odd))
        private = socket_dir(url).stat()

        assert users.enter_context(EmbeddedPostgres(odd)) == url
        assert rows(url, "SELECT 1") == [(1,)]
        assert stat.S_IMODE(private.st_mode) == 0o700
        assert private.st_uid == (odd / "data").stat().st_uid

    assert not socket_dir(url).exists()


def test_a_path_that_postgres_cannot_record_is_refused(folder: Path) -> None:
    """It keeps its paths in files of one line each; the error shows no control character."""
    with pytest.raises(FolderRefused, match="control characters") as refused:
        EmbeddedPostgres(folder / "two\nlines").start()

    assert r"two\nlines" in str(refused.value)
    assert list(folder.iterdir()) == []


def test_a_folder_with_other_files_is_refused_unchanged(folder: Path) -> None:
    """A folder with files that we did not create is left unchanged."""
    (folder / "thesis.tex").touch()
    before = folder.stat()

    with pytest.raises(FolderRefused, match="not empty"):
        EmbeddedPostgres(folder).start()

    assert [entry.name for entry in folder.iterdir()] == ["thesis.tex"]
    assert (folder.stat().st_mode, folder.stat().st_uid) == (before.st_mode, before.st_uid)


def test_a_file_is_refused(folder: Path) -> None:
    """An existing file is not replaced."""
    file = folder / "file"
    file.write_text("content")

    with pytest.raises(FolderRefused, match="it is a file"):
        EmbeddedPostgres(file).start()

    assert file.read_text() == "content"


def test_data_of_another_version_are_refused(path: Path) -> None:
    """Data of another major version are left unchanged; the error names both versions."""
    version = path / "data" / "PG_VERSION"
    version.write_text("17\n")
    try:
        with pytest.raises(DataVersionMismatch, match=r"PostgreSQL 17.* is 18"):
            EmbeddedPostgres(path).start()
    finally:
        version.write_text("18\n")
