"""What the README shows works as it stands there."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from automation_retry.adapters.memory import memory_storage
from automation_retry.entrypoints.http.app import route_table
from automation_retry.entrypoints.http.wire.error_table import ANSWERS
from automation_retry.entrypoints.settings import settings_help
from tests.entrypoints.http.conftest import new_api
from tests.support.command import environment
from tests.support.factories import NOON, a_failed_execution
from tests.support.world import World

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
MAKEFILE = (Path(__file__).parent.parent / "Makefile").read_text("utf-8")


def code(language: str, containing: str) -> str:
    """The only block of the language that contains the text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    [found] = [block for block in blocks if containing in block]
    return str(found)


async def test_the_in_process_example_retries(postgres_world: World, database_url: str) -> None:
    """Run as a program of its own, it prints the state and the generation."""
    failed = await postgres_world.add(a_failed_execution(tenant=postgres_world.tenant))

    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code("python", "open_service")],
        env=environment(
            {
                "DATABASE_URL": database_url,
                "TENANT": str(failed.tenant),
                "USER_ID": str(failed.tenant),
                "EXECUTION_ID": str(failed.execution_id),
            }
        ),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.stdout, ended.stderr) == ("pending 1\n", "")


def test_the_settings_are_those_of_the_help() -> None:
    """Every variable with its default and meaning, as `serve --help` prints it."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\S*) ?\| (.+) \|$", README, re.MULTILINE)
    helped = re.findall(
        r"^([A-Z_]+) \((?:Optional(?:, Default=(\S+))?|Required)\): (.+)$",
        settings_help(),
        re.MULTILINE,
    )
    documented = {name: (default, meaning) for name, default, meaning in rows}

    assert [name for name, *_ in rows] == [name for name, *_ in helped]
    assert {name: documented[name] for name, *_ in rows[1:]} == {
        name: (default, meaning) for name, default, meaning in helped[1:]
    }


def test_the_errors_are_those_of_the_table() -> None:
    """Each status with its codes; 499 is for the log only."""
    rows = re.findall(r"^\| (\d{3}) \| `([A-Z_]+)` \|", README, re.MULTILINE)
    answered = {(str(one.status), one.code) for one in ANSWERS.values()}

    assert set(rows) == answered - {("499", "CLIENT_CLOSED_REQUEST")}


def test_the_requests_are_those_of_the_route_table() -> None:
    """Each with its method and path; the files of the page are no part of the API."""
    rows = re.findall(r"^\| `([A-Z]+) ([^`?]+)", README, re.MULTILINE)
    table = route_table(new_api(memory_storage(lambda: NOON, uuid4)))

    documented = {(one.method, one.path) for one in table if one.documented}
    assert {(method, path.replace("{id}", "{execution_id}")) for method, path in rows} == documented


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?make ([a-z-]+)`?", README))))
def test_a_make_target_that_is_named_exists(target: str) -> None:
    """No README line sends anybody to a target that is not there."""
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([a-z]+/)`", README))))
def test_a_folder_that_is_named_exists(path: str) -> None:
    """At the top level, or among the adapters."""
    root = Path(__file__).parent.parent

    assert (root / path).is_dir() or (root / "adapters" / path).is_dir()
