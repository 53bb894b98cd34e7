"""The accounts that the tests run as.

As root (CI, containers) the server runs as an unprivileged account, and a stranger is `nobody`.
Run by anybody else, the server runs as that user, and the tests check as much as one account can.
"""

import os
import pwd
import subprocess

from automation_retry.adapters.embedded import EmbeddedPostgres

ROOT = os.geteuid() == 0


def current_user() -> pwd.struct_passwd:
    return pwd.getpwuid(os.geteuid())


def stranger_connects(postgres: EmbeddedPostgres, url: str) -> subprocess.CompletedProcess[str]:
    """Tries to connect as `nobody`; without root, as a role that does not exist."""
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
