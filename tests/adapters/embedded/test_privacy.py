import pwd
import stat
import sys
from pathlib import Path

from automation_retry.adapters.embedded import EmbeddedPostgres
from tests.adapters.embedded.accounts import ROOT, current_user, stranger_connects
from tests.adapters.embedded.database import socket_dir
from tests.adapters.embedded.service import service


def test_another_account_cannot_reach_the_socket(path: Path) -> None:
    """Only the server's account can enter the socket's folder and the data."""
    postgres = EmbeddedPostgres(path)
    with postgres as url:
        tried = stranger_connects(postgres, url)
        modes = [stat.S_IMODE(f.stat().st_mode) for f in (socket_dir(url), postgres.data_dir)]

    assert tried.returncode != 0
    assert "Permission denied" in tried.stderr or not ROOT
    assert modes == [0o700, 0o700]


def test_another_account_is_refused_even_at_an_open_socket(path: Path) -> None:
    """The server authenticates every connection by its account (peer authentication)."""
    postgres = EmbeddedPostgres(path)
    with postgres as url:
        socket_dir(url).chmod(0o711)
        (socket_dir(url) / ".s.PGSQL.5432").chmod(0o777)
        tried = stranger_connects(postgres, url)

    assert tried.returncode != 0
    assert "Peer authentication failed" in tried.stderr


def test_an_unprivileged_user_runs_it_under_their_own_account(folder: Path, wheel: Path) -> None:
    """Started by an unprivileged user, the server and its data belong to that user."""
    user = pwd.getpwnam("nobody") if ROOT else current_user()
    folder.chmod(0o777)
    path = folder / "db"
    with service(path, wheel, user) as own:
        _, pid = own.wait_for_url_and_pid()
        owners = {Path(f"/proc/{pid}").stat().st_uid} if sys.platform == "linux" else set()
        owners |= {f.stat().st_uid for f in (path, path / "data", path / "socket", path / "log")}
        own.stop()

    assert owners == {user.pw_uid}
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_root_does_not_run_it_as_root(path: Path) -> None:
    """Started by root, the data belong to an unprivileged account; else to the user."""
    owner = pwd.getpwuid((path / "data").stat().st_uid)

    assert owner.pw_name == ("automation-retry" if ROOT else current_user().pw_name)
