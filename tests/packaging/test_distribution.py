"""The wheel beside a service that has its own `domain` and `application`, and the sdist."""

import tarfile
from pathlib import Path

import pytest
from attrs import frozen

from tests.packaging.environment import Environment, build, type_check
from tests.support.command import ROOT
from tests.support.factories import a_failed_execution
from tests.support.world import World
from tests.test_readme import code

HOST_PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "host"
version = "1"

[tool.hatch.build.targets.wheel]
packages = ["domain", "application"]
"""

# Every expression of a using service that a type checker looks at; `Any` in one is an error.
USING_SERVICE = """
from typing import reveal_type
from uuid import UUID

from automation_retry import (
    AUTOMATION_EXECUTE,
    ExecutionNotFailed,
    Principal,
    RetryExecution,
    Service,
    open_service,
    read_settings,
)


async def retry(service: Service, principal: Principal, execution_id: str) -> int:
    retry_execution: RetryExecution = service.retry_execution
    try:
        retried = await retry_execution(principal, execution_id, idempotency_key="once")
    except ExecutionNotFailed as error:
        return error.retry_count
    attempts = await service.list_failed_attempts(principal, execution_id, page=1, limit=25)
    reveal_type(attempts)
    reveal_type(retried.execution.status)
    return retried.execution.retry_count + attempts.items[0].attempt


async def main(tenant: UUID) -> None:
    settings = read_settings({"DATABASE_URL": "memory:"})
    reveal_type(settings)
    principal = Principal(
        tenant=tenant, user_id=tenant, permissions=frozenset({AUTOMATION_EXECUTE})
    )
    async with open_service(settings, relay=True) as service:
        reveal_type(service)
        print(await retry(service, principal, str(tenant)))
"""

LOADED = """
import sys

before = {name.partition(".")[0] for name in sys.modules}
import automation_retry.domain
from automation_retry import Principal, ExecutionNotFailed
loaded = {name.partition(".")[0] for name in sys.modules} - before
print(sorted(loaded - sys.stdlib_module_names))
"""


@frozen
class Host:
    """A service with the wheel in its environment."""

    environment: Environment
    folder: Path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


def new_host(folder: Path, wheel: Path) -> Host:
    project = folder / "host"
    for name in ("domain", "application"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text(f"OWNER = 'the host {name}'\n", "utf-8")
    (project / "pyproject.toml").write_text(HOST_PROJECT, "utf-8")
    host_wheel = build(project, "wheel", folder / "host_wheel")
    environment = Environment.new(folder / "environment")
    environment.pip("install", "--no-deps", str(host_wheel), str(wheel))
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return Host(environment, elsewhere)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Host:
    return new_host(tmp_path_factory.mktemp("host"), wheel)


HOSTS_OWN = "import domain, application; print(domain.OWNER, '+', application.OWNER)"


def test_both_packages_import(host: Host) -> None:
    """The wheel takes no name but `automation_retry`."""
    assert host.environment.run("-c", HOSTS_OWN, cwd=host.folder) == (
        "the host domain + the host application\n"
    )
    where = "import automation_retry.domain; print(automation_retry.domain.__file__)"
    installed = Path(host.environment.run("-c", where, cwd=host.folder).strip())
    assert installed.is_relative_to(host.environment.site_packages)
    assert {path.name for path in host.environment.site_packages.iterdir()} == {
        *("dependencies.pth", "domain", "application", "host-1.dist-info"),
        *("automation_retry", "automation_retry-0.1.0.dist-info"),
    }


def test_uninstalling_leaves_the_host_as_it_was(tmp_path: Path, wheel: Path) -> None:
    """Nothing of the host goes, nothing of ours stays."""
    host = new_host(tmp_path, wheel)

    host.environment.pip("uninstall", "--yes", "automation-retry")

    assert {path.name for path in host.environment.site_packages.iterdir()} == {
        *("dependencies.pth", "domain", "application", "host-1.dist-info"),
    }
    assert host.environment.run("-c", HOSTS_OWN, cwd=host.folder)


async def test_the_readmes_example_runs(
    host: Host, postgres_world: World, database_url: str
) -> None:
    """In process, from the wheel, against a migrated database."""
    failed = await postgres_world.add(a_failed_execution(tenant=postgres_world.tenant))

    printed = host.environment.run(
        *("-c", code("python", "open_service")),
        cwd=host.folder,
        variables={
            "DATABASE_URL": database_url,
            "TENANT": str(failed.tenant),
            "USER_ID": str(failed.tenant),
            "EXECUTION_ID": str(failed.execution_id),
        },
    )

    assert printed == "pending 1\n"


def test_a_using_service_sees_types(host: Host) -> None:
    """No `Any` in an expression, and the types are those that the README names."""
    using = host.folder / "using.py"
    using.write_text(USING_SERVICE, "utf-8")

    said = type_check(using, host.environment)

    assert "Success: no issues found" in said, said
    for revealed in (
        "Page[automation_retry.domain.execution.FailedAttempt]",
        "automation_retry.domain.execution_status.UnknownStatus",
        "automation_retry.entrypoints.settings.service.Settings",
        "automation_retry.entrypoints.in_process.Service",
    ):
        assert f'{revealed}"' in said, said


def test_the_domain_loads_no_framework(host: Host) -> None:
    """Nothing but attrs is loaded, by its own name as by the package's."""
    assert host.environment.run("-c", LOADED, cwd=host.folder) == (
        "['attr', 'attrs', 'automation_retry']\n"
    )


def test_all_that_the_package_names_is_there(host: Host) -> None:
    """Every name of `__all__` is found, listed, and the same as at its source; no other is."""
    program = """
import automation_retry
from automation_retry import *
assert set(automation_retry.__all__) <= set(dir(automation_retry))
assert all(name in globals() for name in automation_retry.__all__)
assert automation_retry.RetryExecution is automation_retry.application.RetryExecution
try:
    automation_retry.no_such_name
except AttributeError as error:
    print(error)
"""

    assert host.environment.run("-c", program, cwd=host.folder) == (
        "module 'automation_retry' has no attribute 'no_such_name'\n"
    )


def test_the_command_is_installed(host: Host) -> None:
    """With the version of the wheel."""
    command = host.environment.folder / "bin" / "automation-retry"

    assert host.environment.run(str(command), "--version", cwd=host.folder).endswith("0.1.0\n")


def test_an_sdist_installs_editable(tmp_path: Path) -> None:
    """What it unpacks to is imported from there, and has what `make` needs."""
    with tarfile.open(build(ROOT, "sdist", tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    [source] = tmp_path.glob("automation_retry-*")
    environment = Environment.new(tmp_path / "environment")

    environment.pip("install", "--no-deps", "--no-build-isolation", "--editable", str(source))

    where = "import automation_retry.entrypoints.cli as cli; print(cli.__file__)"
    imported = Path(environment.run("-c", where, cwd=tmp_path).strip()).resolve()
    assert imported == (source / "entrypoints" / "cli" / "__init__.py").resolve()
    assert {path.name for path in source.iterdir()} >= {
        *("domain", "application", "adapters", "entrypoints", "tests", ".package"),
        *("Makefile", "README.md", "LICENSE", "pyproject.toml", "requirements.lock"),
    }


def test_bare_imports_are_found_nowhere() -> None:
    """The four folders are only imported by the package's name."""
    bare = ("domain", "application", "adapters", "entrypoints")
    lines = [
        line
        for folder in (*bare, "tests", ".package")
        for path in (ROOT / folder).rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if line.startswith(("from ", "import "))
    ]

    assert len(lines) > 1000
    assert [line for line in lines if line.split()[1].partition(".")[0] in bare] == []
