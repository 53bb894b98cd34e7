"""`make run`, as a newcomer types it."""

import asyncio
import shlex
import signal
from datetime import UTC, datetime
from uuid import uuid4

import httpx
from attrs import frozen

from automation_retry.domain import ExecutionStatus
from automation_retry.entrypoints.demo.executions import executions
from tests.support.command import COMMAND, Running, running
from tests.support.postgres_server import private_folder


@frozen
class Curl:
    """A curl line, taken apart."""

    method: str
    url: str
    headers: dict[str, str]

    @classmethod
    def parse(cls, line: str) -> "Curl":
        match shlex.split(line):
            case ["curl", "-X", method, url, "-H", header]:
                pass
            case ["curl", url, "-H", header]:
                method = "GET"
            case other:
                raise AssertionError(f"not a curl line that we know: {other}")
        name, value = header.split(": ")
        return cls(method, url, {name: value})

    async def run(self) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.request(self.method, self.url, headers=self.headers)


def ready(demo: Running) -> tuple[str, Curl, Curl]:
    """The operator's key, and how to retry a failed execution and read it."""
    key = demo.until("operator's key").split()[2]
    return key, Curl.parse(demo.until("curl -X POST")), Curl.parse(demo.until("curl http"))


async def when_settled(read: Curl) -> str:
    """The status of the execution once the engine is done with it."""
    async with asyncio.timeout(60):
        while True:
            status: str = (await read.run()).json()["data"]["status"]
            if status not in {"pending", "running"}:
                return status
            await asyncio.sleep(0.2)


async def test_make_run_retries_a_failed_execution() -> None:
    """The printed line answers 200; the demo's engine then completes it or fails it again."""
    with private_folder() as folder:
        make = [
            "make",
            "--silent",
            "-o",
            ".venv/installed",
            "run",
            f"DEMO=--port 0 --data {folder / 'demo'}",
        ]
        with running(make) as demo:
            _, retry, read = await asyncio.to_thread(ready, demo)

            answer = await retry.run()
            status = await when_settled(read)
            await asyncio.to_thread(demo.end, signal.SIGINT, group=True)

    assert answer.status_code == 200
    assert answer.json()["data"]["status"] == "pending"
    assert status in {"completed", "failed"}
    assert "The demo has ended; its data are kept." in "".join(demo.printed)


async def test_a_second_start_keeps_keys_and_data() -> None:
    """SIGINT ends it with status 0; the next start knows the same key and what was retried."""
    with private_folder() as folder:
        demo_command = [COMMAND, "demo", "--port", "0", "--data", str(folder / "demo")]
        with running(demo_command) as demo:
            first_key, retry, _ = await asyncio.to_thread(ready, demo)
            execution = (await retry.run()).json()["data"]["execution_id"]
            first_end = await asyncio.to_thread(demo.end, signal.SIGINT)
        with running(demo_command) as demo:
            second_key, retry, _ = await asyncio.to_thread(ready, demo)
            base = retry.url.split("/api/")[0]
            kept = await Curl(
                "GET",
                f"{base}/api/v1/automation/executions/{execution}/attempts",
                {"x-api-key": first_key},
            ).run()
            second_end = await asyncio.to_thread(demo.end, signal.SIGTERM)
        modes = {path.name: path.stat().st_mode & 0o777 for path in (folder / "demo").iterdir()}

    assert (first_end, second_end) == (0, 0)
    assert second_key == first_key
    assert kept.json()["pagination"]["total"] == 1
    assert modes["tenant.json"] == 0o600


async def test_the_viewer_sees_what_failed_and_may_not_retry() -> None:
    """The second key reads the outage of the demo, and is told 403 on a retry."""
    with private_folder() as folder:
        demo_command = [COMMAND, "demo", "--port", "0", "--data", str(folder / "demo")]
        with running(demo_command) as demo:
            viewers_key = (await asyncio.to_thread(demo.until, "viewer's key")).split()[2]
            retry = Curl.parse(await asyncio.to_thread(demo.until, "curl -X POST"))
            answer = await Curl("POST", retry.url, {"x-api-key": viewers_key}).run()
            failures = Curl.parse(await asyncio.to_thread(demo.until, "failure-groups"))
            shown = await Curl("GET", failures.url, {"x-api-key": viewers_key}).run()
            await asyncio.to_thread(demo.end, signal.SIGINT)

    assert answer.status_code == 403
    assert shown.json()["summary"]["executions"] > 400
    assert shown.json()["data"][0]["count"] > 100


def test_the_demo_has_executions_in_all_states() -> None:
    """25 of them, seven states, the failed ones with message, stack and logs."""
    made = list(executions(uuid4(), datetime.now(UTC)))

    failed = [one for one in made if one.status is ExecutionStatus.FAILED]
    assert len(made) == 25
    assert {one.status for one in made} == set(ExecutionStatus)
    assert all(one.error_message and one.error_stack and one.logs for one in failed)
