"""A process that uses the embedded PostgreSQL, possibly as another account."""

import pwd
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from tests.adapters.embedded.accounts import current_user

PROGRAM = """
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
    """Another process that uses the database until it is told to stop, or is killed."""

    process: subprocess.Popen[str]

    def wait_for_url_and_pid(self) -> tuple[str, int]:
        assert self.process.stdout is not None
        url, pid = self.process.stdout.readline().split("\t")
        return url, int(pid)

    def stop(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def service(path: Path, wheel: Path, account: pwd.struct_passwd | None = None) -> Iterator[Service]:
    account = account or current_user()
    arguments = [str(path), str(wheel), str(account.pw_uid), str(account.pw_gid)]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Service(process)
        finally:
            process.kill()
