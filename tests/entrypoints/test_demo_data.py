"""The demo's folder: what it holds, and what becomes of one that cannot be used."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.adapters.embedded.accounts import ROOT
from tests.support.command import COMMAND, Running, run, running
from tests.support.demo import READY, demo_command, demo_folder, demo_in, processes_of


@pytest.fixture
def data() -> Iterator[Path]:
    with demo_folder() as data:
        yield data


def operators_key(demo: Running) -> str:
    key = demo.until("operator's key").split()[2]
    demo.until(READY)
    return key


def refused(*arguments: str) -> str:
    """The one line with which the command ends."""
    ended = run("demo", *arguments)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    return line


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


def test_two_first_starts_at_once_serve_one_tenant(data: Path) -> None:
    """The second waits for the first, and then uses the same database."""
    with demo_in(data) as one, demo_in(data) as other:
        keys = {operators_key(one), operators_key(other)}
        statuses = [one.end(SIGTERM), other.end(SIGTERM)]

    printed = "".join(one.printed + other.printed)
    assert statuses == [0, 0]
    assert len(keys) == 1
    assert "Traceback" not in printed
    assert processes_of(data) == set()
    assert {entry.name for entry in data.iterdir()} == {"postgres", "start.lock", "tenant.json"}


def test_two_starts_at_once_without_a_port_take_two(data: Path) -> None:
    """Whoever does not get 8000 takes a free one."""
    command = [COMMAND, "demo", "--data", str(data)]
    with running(command) as one, running(command) as other:
        addresses = {demo.until("is ready at").split()[-1] for demo in (one, other)}
        statuses = [one.end(SIGTERM), other.end(SIGTERM)]

    assert len(addresses) == 2
    assert statuses == [0, 0]


def test_a_folder_that_cannot_be_written_is_named(data: Path) -> None:
    parent = Path("/proc") if ROOT and sys.platform == "linux" else data
    if parent == data:
        parent.mkdir(0o555)

    line = refused("--port", "0", "--data", str(parent / "demo"))

    assert line.startswith(f"Error: The demo cannot keep its data in {parent / 'demo'}: ")
    assert line.endswith("use another path (--data).")


@pytest.mark.parametrize("below", ["", "demo"])
def test_a_file_in_the_folders_place_is_left_alone(data: Path, below: str) -> None:
    data.write_text("mine")

    line = refused("--port", "0", "--data", str(data / below))

    assert f"cannot keep its data in {data / below}: a file is in the way ({data})" in line
    assert data.read_text() == "mine"


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", os.fsdecode(b"a\xff")])
def test_a_name_that_a_terminal_cannot_show_is_refused(data: Path, name: str) -> None:
    """PostgreSQL keeps its paths in files of one line each."""
    line = refused("--port", "0", "--data", str(data / name))

    assert "it has control characters or is not valid UTF-8; use another path" in line
    assert "\x1b" not in line
    assert not data.exists()


def test_a_name_that_is_too_long_is_refused(data: Path) -> None:
    line = refused("--port", "0", "--data", str(data / ("long" * 70)))

    assert "File name too long" in line


def test_a_path_too_long_for_a_socket_works(data: Path) -> None:
    with demo_in(data / ("long" * 30)) as demo:
        demo.until(READY)
        status = demo.end(SIGTERM)

    assert status == 0
    assert processes_of(data) == set()


@pytest.mark.parametrize(
    "content", [b"", b'{"tenant": "7d', b"[]", b'{"operator_key": "mine"}', b"\xff\xfe"]
)
def test_a_file_without_the_keys_is_set_aside(data: Path, content: bytes) -> None:
    """Truncated, empty or of another program: it is kept, and there are new keys."""
    data.mkdir()
    data.chmod(0o711)
    (data / "tenant.json").write_bytes(content)

    with demo_in(data) as demo:
        told = demo.until("tenant.json")
        key = operators_key(demo)
        demo.end(SIGTERM)

    assert "is now tenant.unreadable-1.json: the demo gets new keys" in told
    assert (data / "tenant.unreadable-1.json").read_bytes() == content
    assert json.loads((data / "tenant.json").read_bytes())["operator_key"] == key
    assert mode_of(data / "tenant.json") == 0o600


def test_empty_files_of_the_database_are_written_again(data: Path) -> None:
    """Those that the service writes itself: a machine that lost power may have emptied them."""
    with demo_in(data) as demo:
        key = operators_key(demo)
        demo.end(SIGTERM)
    for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf", "log"):
        os.truncate(data / "postgres" / name, 0)

    with demo_in(data) as demo:
        same_key = operators_key(demo)
        status = demo.end(SIGTERM)

    assert same_key == key
    assert status == 0


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277])
def test_any_umask_does(data: Path, umask: int) -> None:
    """The database's account can enter what it needs, and nobody else can read the keys."""
    nested = data / "new" / "demo"
    before = os.umask(umask)
    try:
        for _ in range(2):
            with demo_in(nested) as demo:
                demo.until(READY)
                status = demo.end(SIGTERM)
    finally:
        os.umask(before)

    assert status == 0
    assert mode_of(nested / "tenant.json") == 0o600
    assert f"under {nested / 'postgres'}" not in "".join(demo.printed)
    assert (nested / "postgres" / "data" / "PG_VERSION").exists()


def test_a_port_in_use_is_named(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = refused("--port", str(port), "--data", str(data))

    assert f"Cannot listen on 127.0.0.1 port {port}: Address already in use" in line
    assert "Choose another --port" in line


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("", "Invalid value for '--host': must not be blank."),
        (
            "a\x1b[31m",
            r"must be UTF-8 without control characters, not 'a\x1b[31m'.",
        ),
        ("ä" * 90, "Cannot listen on ä"),
        ("nowhere.invalid", "Cannot listen on nowhere.invalid"),
    ],
)
def test_a_host_that_is_none_is_named(data: Path, host: str, told: str) -> None:
    ended = run("demo", "--host", host, "--data", str(data))

    assert ended.returncode in (1, 2)
    assert told in ended.stderr.splitlines()[-1]
    assert not data.exists()


def test_a_closed_standard_output_disturbs_nothing(data: Path) -> None:
    """As a service manager may start it; the log goes to standard error."""
    closed = ["/bin/sh", "-c", 'exec "$@" 3>&1 2>&3 >&- 3>&-', "sh", *demo_command(data)]
    with running(closed) as demo:
        demo.until("serving")
        status = demo.end(SIGTERM)

    assert status == 0
    assert "Traceback" not in "".join(demo.printed)
    assert processes_of(data) == set()
