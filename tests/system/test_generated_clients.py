"""Clients that public generators make from the service's document, in Python and TypeScript."""

import asyncio
import json
import re
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, field, frozen

from automation_retry.domain import ExecutionStatus
from tests.support.command import ROOT, environment
from tests.support.factories import a_failed_execution
from tests.support.world import EXECUTIONS, World
from tests.test_readme import code

PROGRAMS = Path(__file__).parent / "clients"
PACKAGES = ROOT / "var" / "node" / "node_modules"
BIN = Path(sys.executable).parent
GENERATORS = ROOT / "var" / "clients" / "bin"

Document = dict[str, Any]


@frozen(kw_only=True)
class Client:
    """A client in one language, made from `openapi.json` in its folder, and a program using it."""

    program: str
    generated_by: Sequence[str]
    checked_by: Sequence[str]
    """The types of both, as strictly as can be."""
    run_by: Sequence[str]
    folder: Path = field(factory=Path)
    cache: Path = field(factory=Path)
    """Of the type checker, for all tests."""

    async def generate(self, document: Document) -> None:
        assert PACKAGES.is_dir(), "its packages are missing; run `make test-system`"
        (self.folder / "node_modules").symlink_to(PACKAGES)
        (self.folder / "openapi.json").write_text(json.dumps(document), "utf-8")
        status, printed = await self._ended(self.generated_by)
        assert status == 0, printed
        shutil.copy(PROGRAMS / self.program, self.folder)

    async def check(self) -> tuple[int, str]:
        """The exit status, and what the type checker prints."""
        return await self._ended(self.checked_by)

    async def run(self, variables: Mapping[str, str]) -> tuple[int, str]:
        """The exit status of the program, and what it prints."""
        return await self._ended(self.run_by, variables)

    async def _ended(
        self, command: Sequence[str], variables: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        both = environment(variables or {})
        both["PATH"] = f"{BIN}:{GENERATORS}:{PACKAGES / '.bin'}:{both['PATH']}"
        both["MYPY_CACHE_DIR"] = str(self.cache)
        process = await asyncio.create_subprocess_exec(
            *command, cwd=self.folder, env=both, stdout=PIPE, stderr=STDOUT
        )
        try:
            printed, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode is not None
        return process.returncode, printed.decode()


PYTHON = Client(
    program="retry_client.py",
    generated_by=[
        *("openapi-python-client", "generate", "--path", "openapi.json", "--fail-on-warning"),
        *("--output-path", ".", "--overwrite"),  # the folder exists already
    ],
    checked_by=["mypy", "--strict", "retry_client.py", "automation_retry_client"],
    run_by=["python", "retry_client.py"],
)
TYPESCRIPT = Client(
    program="retry_client.mts",
    generated_by=["openapi-typescript", "openapi.json", "--output", "openapi.mts"],
    checked_by=[
        *("tsc", "--strict", "--noEmitOnError", "--target", "es2022", "--module", "nodenext"),
        # Without what packages declare, which is not ours to check and takes most of the time.
        *("--types", "node", "--skipLibCheck", "retry_client.mts"),
    ],
    run_by=["node", "retry_client.mjs"],
)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


@pytest.fixture(params=[PYTHON, TYPESCRIPT], ids=["Python", "TypeScript"])
def client(request: pytest.FixtureRequest, tmp_path: Path, cache: Path) -> Client:
    chosen: Client = request.param
    return evolve(chosen, folder=tmp_path, cache=cache)


async def document_of(world: World) -> Document:
    answer = await world.client.get("/openapi.json")
    assert answer.status_code == 200
    document: Document = answer.json()
    return document


async def test_the_document_is_openapi_3_1(postgres_world: World, tmp_path: Path) -> None:
    """Nothing that its specification refuses, and no reference to nowhere."""
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(await document_of(postgres_world)), "utf-8")

    process = await asyncio.create_subprocess_exec(
        GENERATORS / "openapi-spec-validator", document, stdout=PIPE, stderr=STDOUT
    )
    printed, _ = await process.communicate()

    assert (process.returncode, printed.decode().strip()) == (0, f"{document}: OK")


async def test_a_generated_client_retries(client: Client, postgres_world: World) -> None:
    """And has types for all that it is told, which a strict checker accepts."""
    world = postgres_world
    failed = await world.add(a_failed_execution(tenant=world.tenant))

    await client.generate(await document_of(world))
    status, printed = await client.check()
    assert status == 0, printed
    status, printed = await client.run(
        {
            "SERVICE_URL": str(world.client.base_url),
            "API_KEY": await world.key(),
            "TENANT": str(world.tenant),
            "EXECUTION_ID": str(failed.execution_id),
        }
    )

    assert status == 0, printed
    assert json.loads(printed) == {
        "failed at": 2,
        "completed in": 2026,
        "link": f"{EXECUTIONS}/{failed.execution_id}/retry",
        "retried": ["pending", 1, None],
        "replayed": [200, "true"],
        "attempts": [1, 1, "SMTP server did not answer"],
        "again": ["BAD_REQUEST", "pending", 1],
        "missing": ["NOT_FOUND", "Execution not found"],
    }
    stored = await world.storage.executions.get(world.tenant, failed.execution_id)
    assert (stored.status, stored.retry_count) == (ExecutionStatus.PENDING, 1)


README: Mapping[str, tuple[Client, str]] = {
    "python": (PYTHON, "print(answer.data.status)"),
    "typescript": (
        evolve(
            TYPESCRIPT,
            generated_by=[
                "openapi-typescript",
                "openapi.json",
                "--output",
                "automation-retry.d.ts",
            ],
        ),
        "",
    ),
}
"""The client that the README uses, and what its lines lack to be a program that prints."""


@pytest.mark.parametrize("language", README)
async def test_the_readme_retries_with_a_generated_client(
    postgres_world: World, tmp_path: Path, cache: Path, language: str
) -> None:
    """Its lines as they stand, but for the address, the key and the id."""
    world = postgres_world
    failed = await world.add(a_failed_execution(tenant=world.tenant))
    program = code(language, "5fba69ef")
    for shown, real in (
        ("http://127.0.0.1:8000", str(world.client.base_url)),
        ("ar_…", await world.key()),
        ("5fba69ef-…", str(failed.execution_id)),
    ):
        assert shown in program
        program = program.replace(shown, real)

    chosen, printing = README[language]
    client = evolve(chosen, folder=tmp_path, cache=cache)
    await client.generate(await document_of(world))
    (tmp_path / client.program).write_text(f"{program}\n{printing}\n", "utf-8")
    if client.program.endswith(".mts"):  # which Node 18 cannot run as it is
        assert await client.check() == (0, "")

    assert await client.run({}) == (0, "pending\n")


def without_retry_count(document: Document) -> None:
    execution = document["components"]["schemas"]["Execution"]
    del execution["properties"]["retry_count"]
    execution["required"].remove("retry_count")


def with_text_for_total(document: Document) -> None:
    pagination = document["components"]["schemas"]["Pagination"]
    pagination["properties"]["total"] = {"type": "string"}


def without_details(document: Document) -> None:
    schemas = document["components"]["schemas"]
    error = schemas["ExecutionNotFailed"]["properties"]["error"]
    del error["properties"]["details"]
    error["required"].remove("details")


def without_idempotency_key(document: Document) -> None:
    retry = document["paths"][f"{EXECUTIONS}/{{execution_id}}/retry"]["post"]
    retry["parameters"] = [one for one in retry["parameters"] if one["name"] != "Idempotency-Key"]


LIES: Mapping[Callable[[Document], None], str] = {
    without_retry_count: r"\bretry_count\b",
    with_text_for_total: r"\btype \W?(int|number)\W",
    without_details: r"\bdetails\b",
    without_idempotency_key: r"(?i)\bidempotency.key\b",
}
"""What is wrong in a document, and what a type checker says about it."""


async def test_a_client_of_another_document_does_not_pass(
    client: Client, postgres_world: World
) -> None:
    """What the document leaves out or gets wrong, the type checker finds in the program."""
    document = await document_of(postgres_world)
    for lie in LIES:
        lie(document)

    await client.generate(document)
    status, printed = await client.check()

    assert status != 0
    assert [named for named in LIES.values() if not re.search(named, printed)] == []
