"""What a user can fix is one line that says what to do; never a traceback, never a password."""

import os
import signal
import subprocess

import psycopg
import pytest

from tests.entrypoints.serving import address
from tests.support.command import COMMAND, environment, run, running
from tests.support.own_postgres import running_own_postgres
from tests.support.server_process import free_port

SECRET = "hunter2"
AS_READER = "options=-crole%3Dreader"
COMMANDS = (["migrate"], ["user", "list"], ["api-key", "list"], ["outbox", "status"], ["relay"])


def only_line(*arguments: str, **variables: str) -> str:
    ended = run(*arguments, **variables)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert SECRET not in ended.stderr
    [line] = ended.stderr.splitlines()
    return line


@pytest.mark.parametrize("arguments", [*COMMANDS, ["serve"], ["serve", "--workers", "2"]], ids=str)
def test_a_malformed_url_is_refused_by_every_command(arguments: list[str]) -> None:
    """The parent checks it before it starts workers; no message repeats it."""
    line = only_line(*arguments, DATABASE_URL=f"postgresql://ada:{SECRET}%@db/automation")

    assert line.startswith("Error: DATABASE_URL: cannot be parsed as a URL; special characters")


def test_each_way_in_which_a_database_cannot_be_reached_is_told_at_once() -> None:
    """With what to do."""
    port = free_port()
    with running_own_postgres() as server:
        server.execute(f"CREATE ROLE ada LOGIN PASSWORD '{SECRET}'")
        lines = {
            name: only_line("migrate", DATABASE_URL=url)
            for name, url in {
                "refused": f"postgresql://ada:{SECRET}@127.0.0.1:{port}/postgres",
                "host": f"postgresql://ada:{SECRET}@nowhere.invalid/postgres",
                "socket": f"postgresql://ada:{SECRET}@/postgres?host=/nonexistent",
                "password": server.url("ada", f"{SECRET}x"),
                "role": server.url("bob", SECRET),
                "database": server.url("ada", SECRET, database="missing"),
                "tls": f"{server.url('ada', SECRET)}?sslmode=require",
                "rights": server.url("ada", SECRET),
            }.items()
        }

    beginning = "Error: PostgreSQL: no connection: "
    check = "check user name and password in DATABASE_URL"
    assert lines == {
        "refused": (
            f"{beginning}Connection refused; "
            "start PostgreSQL, or correct host and port in DATABASE_URL"
        ),
        "host": (
            f"{beginning}the host name cannot be resolved: [Errno -2] Name or service not known; "
            "check the host name in DATABASE_URL"
        ),
        "socket": (
            f"{beginning}No such file or directory; "
            "start PostgreSQL, or correct host and port in DATABASE_URL"
        ),
        "password": f'{beginning}password authentication failed for user "ada"; {check}',
        "role": f'{beginning}password authentication failed for user "bob"; {check}',
        "database": (
            f'{beginning}database "missing" does not exist; '
            "create the database, or correct its name in DATABASE_URL"
        ),
        "tls": (
            f"{beginning}server does not support SSL, but SSL was required; "
            "set sslmode=disable in DATABASE_URL, or TLS up in PostgreSQL"
        ),
        "rights": (
            "Error: The role ada may not create tables in the schema public; run: "
            "GRANT CREATE ON SCHEMA public TO ada;"
        ),
    }


@pytest.mark.parametrize(
    "arguments",
    [["user", "create", "ada"], ["user", "list"], ["api-key", "list"], ["outbox", "status"]],
    ids=str,
)
def test_a_database_that_is_not_migrated_is_told(
    empty_database_url: str, arguments: list[str]
) -> None:
    """With the command that helps."""
    line = only_line(*arguments, DATABASE_URL=empty_database_url)

    assert line.startswith("Error: PostgreSQL: UndefinedTable")
    assert line.endswith("; run `automation-retry migrate`")


def test_a_lost_table_of_migrations_is_mended_by_migrate(database_url: str) -> None:
    """The tables that it finds are kept."""
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP TABLE automation_retry_migrations")

    ended = run("migrate", DATABASE_URL=database_url)

    assert ended.returncode == 0
    assert ended.stdout.count("applied 000") == 8


def test_a_missing_right_is_told(database_url: str) -> None:
    """The role of the service need not be one that may manage users."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader")
        try:
            user = run("user", "create", "ada", DATABASE_URL=f"{database_url}&{AS_READER}")
        finally:
            connection.execute("DROP ROLE reader")

    assert user.returncode == 1
    assert user.stderr == (
        "Error: PostgreSQL: InsufficientPrivilege (SQLSTATE 42501): permission denied for table "
        "users; use another role, or GRANT what is missing\n"
    )


def test_serve_stays_where_the_database_can_come_back() -> None:
    """It is not ready, and the log says why."""
    url = f"postgresql://ada:{SECRET}@127.0.0.1:{free_port()}/postgres"
    with running([COMMAND, "serve", "--port", "0"], {"DATABASE_URL": url}) as serve:
        address(serve.until("serving"))
        told = [line for line in serve.printed if "cannot connect to the database" in line]
        [line] = told or [serve.until("cannot connect to the database")]
        status = serve.end(signal.SIGTERM)

    assert "Connection refused" in line
    assert status == 0
    assert SECRET not in "".join(serve.printed)


def test_a_misspelt_setting_is_told_in_the_log(database_url: str) -> None:
    """The command works: the variable may be meant for another version."""
    ended = run("migrate", DATABASE_URL=database_url, AUTOMATION_RETRY_POLLER="session")

    assert ended.returncode == 0
    assert '"variable": "AUTOMATION_RETRY_POLLER"' in ended.stderr
    assert '"did_you_mean": "AUTOMATION_RETRY_POOLER"' in ended.stderr


def test_arguments_with_control_characters_are_escaped() -> None:
    """Also in messages about options that do not exist."""
    ended = run("--\x1b[31m")

    assert ended.returncode == 2
    assert r"--\x1b[31m" in ended.stderr
    assert "\x1b" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
def test_a_terminal_that_closes_ends_the_service(database_url: str, number: signal.Signals) -> None:
    """As SIGTERM does: with status 0."""
    # Shells start background commands, as this test run may be one, with SIGQUIT ignored.
    before = signal.signal(number, signal.SIG_DFL)
    with running([COMMAND, "serve", "--port", "0"], {"DATABASE_URL": database_url}) as serve:
        signal.signal(number, before)
        address(serve.until("serving"))
        status = serve.end(number)

    assert status == 0


def test_a_service_that_ignores_sighup_goes_on(database_url: str) -> None:
    """As under nohup."""
    command = ["sh", "-c", f"trap '' HUP; exec {COMMAND} serve --port 0"]
    with running(command, {"DATABASE_URL": database_url}) as serve:
        address(serve.until("serving"))
        os.kill(serve.process.pid, signal.SIGHUP)
        status = serve.end(signal.SIGTERM)

    assert status == 0


def test_colours_can_be_switched_off() -> None:
    """By NO_COLOR; where standard error is no terminal there are none."""
    variables = {"DATABASE_URL": "memory:", "AUTOMATION_RETRY_LOG_FORMAT": "console"}
    script = f"{COMMAND} serve --port 0 & sleep 2; kill $!; wait"
    seen = {}
    for no_color in ("", "1"):
        with running(
            ["script", "-qec", script, "/dev/null"], variables | {"NO_COLOR": no_color}
        ) as serve:
            serve.process.wait(timeout=60)
            assert serve.process.stdout
            seen[no_color] = serve.process.stdout.read()

    assert "\x1b[" in seen[""]
    assert "\x1b[" not in seen["1"]
    assert "serving" in seen["1"]


@pytest.mark.parametrize(
    "command", ["--help", "--version", "_AUTOMATION_RETRY_COMPLETE=bash_source"]
)
def test_a_full_disk_is_told(command: str) -> None:
    """Whatever is printed."""
    before, _, arguments = command.rpartition("source")
    line = f"{before}source {COMMAND}" if before else f"{COMMAND} {arguments}"
    ended = subprocess.run(
        ["sh", "-c", f"{line} > /dev/full"],
        env=environment({}),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr == "Error: Cannot write the output: No space left on device\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete_commands(shell: str) -> None:
    """The README says how."""
    script = run(_AUTOMATION_RETRY_COMPLETE=f"{shell}_source").stdout

    assert "automation-retry" in script
    assert "_AUTOMATION_RETRY_COMPLETE" in script
