"""The page /docs of the running service, in Chromium."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import frozen

from automation_retry.domain import Execution, ExecutionStatus
from tests.support.command import ROOT
from tests.support.factories import a_failed_execution
from tests.support.world import running_service

PACKAGES = ROOT / "var" / "node" / "node_modules"
SCRIPT = ROOT / "tests" / "system" / "node" / "docs_page.mjs"
METHODS = {"get", "head", "options", "put", "post", "patch", "delete", "trace"}


@frozen(kw_only=True)
class Visit:
    """What a reader saw who read an execution and retried it, and what it did."""

    service: str
    prefix: str
    key: str
    document: dict[str, Any]
    execution: Execution
    stored: Execution
    seen: dict[str, Any]

    def answered(self, name: str) -> dict[str, Any]:
        """The execution in the body that the page shows for an operation."""
        data: dict[str, Any] = json.loads(self.seen[name]["body"])["data"]
        return data


async def saw(**arguments: str) -> dict[str, Any]:
    """What the script prints; it ends Chromium by itself."""
    assert PACKAGES.is_dir(), "its packages are missing; run `make test-system`"
    browser = shutil.which("chromium")
    assert browser, "chromium is missing; run `make test-system`"
    # Node looks for packages beside the script, whose folder has none.
    script = PACKAGES.parent / SCRIPT.name
    shutil.copyfile(SCRIPT, script)
    process = await asyncio.create_subprocess_exec(
        "node",
        str(script),
        json.dumps({"browserPath": browser, **arguments}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    seen: dict[str, Any] = json.loads(printed)
    return seen


@pytest.fixture(scope="module", params=["", "/automation"], ids=["at the root", "under a path"])
async def visit(request: pytest.FixtureRequest) -> AsyncIterator[Visit]:
    prefix = str(request.param)
    variables = {
        "DATABASE_URL": "memory:",
        "AUTOMATION_RETRY_RELAY": "false",
        "AUTOMATION_RETRY_ROOT_PATH": prefix,
    }
    async with running_service(variables) as world:
        execution = await world.add(a_failed_execution(tenant=world.tenant))
        service = str(world.client.base_url).rstrip("/")
        key = await world.key()
        execution_id = str(execution.execution_id)
        yield Visit(
            service=service,
            prefix=prefix,
            key=key,
            execution=execution,
            document=(await world.client.get("/openapi.json")).json(),
            seen=await saw(service=service, prefix=prefix, key=key, executionId=execution_id),
            stored=await world.storage.executions.get(execution.tenant, execution.execution_id),
        )


async def test_it_shows_every_operation_of_the_document(visit: Visit) -> None:
    operations = [
        f"{method.upper()} {path}"
        for path, item in visit.document["paths"].items()
        for method in METHODS & item.keys()
    ]

    assert sorted(visit.seen["operations"]) == sorted(operations)


async def test_it_sends_a_request_and_shows_the_answer(visit: Visit) -> None:
    read = visit.answered("read")

    assert visit.seen["read"]["outcome"].startswith("200 OK after ")
    assert read["execution_id"] == str(visit.execution.execution_id)
    assert read["status"] == "failed"


async def test_a_retry_that_it_sends_is_done(visit: Visit) -> None:
    assert visit.seen["retried"]["outcome"].startswith("200 OK after ")
    assert visit.answered("retried")["retry_count"] == 1
    assert visit.stored.status is ExecutionStatus.PENDING
    assert visit.stored.retry_count == 1


async def test_it_says_which_requests_change_data(visit: Visit) -> None:
    assert not visit.seen["read"]["warns"]
    assert visit.seen["retried"]["warns"]


async def test_its_curl_command_has_a_variable_in_place_of_the_key(visit: Visit) -> None:
    path = f"/api/v1/automation/executions/{visit.execution.execution_id}/retry"

    assert visit.seen["retried"]["curl"] == (
        f"curl -X POST '{visit.service}{visit.prefix}{path}' \\\n" + '  -H "x-api-key: $API_KEY"'
    )


async def test_the_key_is_nowhere_but_in_its_field(visit: Visit) -> None:
    kept = visit.seen["kept"]
    empty = {"local": {}, "session": {}, "cookies": "", "databases": [], "caches": []}

    assert kept == empty
    assert visit.key not in visit.seen["visible"]
    assert visit.key not in visit.seen["address"]
    assert not [url for url in visit.seen["requests"] if visit.key in url]


async def test_it_asks_nobody_but_the_service(visit: Visit) -> None:
    """And behind a proxy only under the service's path."""
    requests = visit.seen["requests"]

    assert requests
    assert [url for url in requests if not url.startswith(f"{visit.service}{visit.prefix}/")] == []


async def test_it_keeps_to_its_policy_without_an_error(visit: Visit) -> None:
    assert visit.seen["violations"] == []
    assert visit.seen["errors"] == []


async def test_its_filter_leaves_what_has_all_words(visit: Visit) -> None:
    assert visit.seen["found"]
    assert len(visit.seen["found"]) < len(visit.seen["operations"])
    assert "POST /api/v1/automation/executions/{execution_id}/retry" in visit.seen["found"]


async def test_it_says_that_no_answer_came_and_what_that_means(visit: Visit) -> None:
    assert visit.seen["unreachable"] == (
        "No answer: the service cannot be reached or takes too long, or the connection was lost. "
        "The change may have been made."
    )


async def test_it_is_accessible_and_fits_every_width(visit: Visit) -> None:
    """By axe's rules for WCAG 2.2 AA, from 320 to 1920 px, light and dark."""
    assert visit.seen["accessibility"] == []
