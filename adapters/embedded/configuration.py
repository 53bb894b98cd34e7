"""The cluster's configuration files: server settings, and peer authentication for our accounts."""

from collections.abc import Iterable
from pathlib import Path

from automation_retry.adapters.embedded.files import replace_text

ROLE = "automation_retry"
PORT = 5432

SERVER_OPTIONS = (
    "-c config_file=postgresql.conf -c hba_file=pg_hba.conf -c ident_file=pg_ident.conf"
)
"""Command-line options of `postgres`, relative to the cluster's folder."""

_SETTINGS = """\
# Written by automation-retry at each start; ALTER SYSTEM settings override these.
listen_addresses = ''
port = {port}
unix_socket_directories = {socket_dir}
unix_socket_permissions = 0700
max_connections = 100
fsync = on
full_page_writes = on
synchronous_commit = on
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
# Statement errors are reported to the client only. Logged, they would disclose tenants' values,
# and let tenants grow the log.
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
log_checkpoints = off
"""
_HBA = "local all all peer map=embedded\n"


def write_configuration(path: Path, *, socket_dir: Path, users: Iterable[str]) -> None:
    """Writes `path/*.conf`; only the operating system users `users` can connect, as `ROLE`."""
    # A list with one element: a double-quoted name inside a single-quoted string.
    directories = _quoted(str(socket_dir)).replace("\\", "\\\\").replace("'", "''")
    texts = {
        "postgresql.conf": _SETTINGS.format(port=PORT, socket_dir=f"'{directories}'"),
        "pg_hba.conf": _HBA,
        "pg_ident.conf": "".join(f"embedded {_quoted(user)} {ROLE}\n" for user in sorted(users)),
    }
    for name, text in texts.items():
        replace_text(path / name, text, mode=0o644)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
