"""One run of Schemathesis against a service of its own, and what came of it."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.fuzz.population import PAYLOAD_LIMIT_BYTES, Population
from tests.support.command import COMMAND, ROOT, environment

_HERE = Path(__file__).parent
_PATIENCE_S = 30
_FUZZ_WITHIN_S = 500


@frozen
class Service:
    """`automation-retry serve`, its address, and where it writes its log."""

    url: str
    log: Path


@frozen(kw_only=True)
class Result:
    """What Schemathesis reports and printed, each answer that it got, and the service's log."""

    report: Mapping[str, Any]
    printed: str
    answers: Sequence[Mapping[str, Any]]
    log: str

    def statuses(self) -> Mapping[str, Counter[int]]:
        """How often each operation answered with each status, to its own method."""
        counts: dict[str, Counter[int]] = {}
        for answer in self.answers:
            counts.setdefault(answer["operation"], Counter())[answer["status"]] += 1
        return counts


@contextmanager
def serving(database_url: str, folder: Path) -> Iterator[Service]:
    """The service as shipped, in a process of its own."""
    log = folder / "service.log"
    variables = {
        "DATABASE_URL": database_url,
        "AUTOMATION_RETRY_PAYLOAD_LIMIT_BYTES": str(PAYLOAD_LIMIT_BYTES),
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", "0"],
            cwd=ROOT,
            env=environment(variables),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Service(_address(process, log), log)
    finally:
        process.terminate()
        process.wait(_PATIENCE_S)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        text = log.read_text()
        for line in text.splitlines():
            if '"event": "serving"' in line or '"serving"' in line:
                found: str = json.loads(line)["address"]
                return found
        assert process.poll() is None, text
        assert time.monotonic() < deadline, text
        time.sleep(0.05)
