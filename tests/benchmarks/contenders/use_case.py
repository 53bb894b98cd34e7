"""The use case without HTTP on either storage, and the domain's transition alone.

`python -m tests.benchmarks.contenders.use_case` is a companion.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import uvloop

from automation_retry.application import RetryExecution
from automation_retry.domain import AUTOMATION_EXECUTE, Principal
from automation_retry.entrypoints.lifecycle import open_container
from automation_retry.entrypoints.logging import configure_logging
from automation_retry.entrypoints.settings import read_settings
from tests.benchmarks.companion import Answer, Question, answer_questions
from tests.benchmarks.failed_rows import TENANT, failed_execution
from tests.benchmarks.stretch import Stretch
from tests.support.without_delivery import WITHOUT_DELIVERY

MODULE: Final = "tests.benchmarks.contenders.use_case"
MEMORY: Final = "memory:"
DOMAIN: Final = "domain"

_PRINCIPAL: Final = Principal(
    tenant=TENANT, user_id=uuid4(), api_key_id=uuid4(), permissions=frozenset({AUTOMATION_EXECUTE})
)


async def _on_storage(question: Question) -> Answer:
    in_memory = question["url"] == MEMORY
    variables = {"AUTOMATION_RETRY_RELAY": "false"} if in_memory else WITHOUT_DELIVERY
    settings = read_settings({"DATABASE_URL": question["url"], **variables})
    stretch = Stretch(iter(question["ids"]), question["warm_up_s"], question["seconds"])
    async with open_container(settings) as container:
        if in_memory:
            numbers = range(1, len(question["ids"]) + 1)
            await container.storage().executions.add(
                [failed_execution(number) for number in numbers]
            )
        use_case = container.retry_execution()
        stretch.begin(time.perf_counter())
        async with asyncio.TaskGroup() as tasks:
            for _ in range(question["clients"]):
                tasks.create_task(_client(use_case, stretch))
    return stretch.measured()


async def _client(use_case: RetryExecution, stretch: Stretch) -> None:
    asked = time.perf_counter()
    while execution_id := stretch.next_id(asked):
        await use_case(_PRINCIPAL, execution_id, request_id=str(uuid4()))
        now = time.perf_counter()
        stretch.done(asked, now)
        asked = now


def _in_the_domain(question: Question) -> Answer:
    execution, request_id = failed_execution(1), str(uuid4())
    retried, began = 0, time.perf_counter()
    while (taken := time.perf_counter() - began) < question["seconds"]:
        execution.retry(at=datetime.now(UTC), by=_PRINCIPAL, request_id=request_id)
        retried += 1
    return {"retried": retried, "per_second": retried / taken}


def _answer(question: Question) -> Answer:
    if question["url"] == DOMAIN:
        return _in_the_domain(question)
    return uvloop.run(_on_storage(question))


if __name__ == "__main__":
    configure_logging("json", "warning")
    answer_questions(_answer)
