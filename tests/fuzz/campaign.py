"""One run of Schemathesis against a service of its own, and what came of it."""

import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import httpx
from attrs import frozen

from tests.fuzz.population import PAYLOAD_LIMIT_BYTES, Population
from tests.support.command import COMMAND, ROOT, environment

FOLDER: Final = "FUZZ_FOLDER"
"""The environment variable with the folder of the population, its keys and the answers."""
ANSWERS: Final = "answers.jsonl"

_CONFIGURATION: Final = Path(__file__).parent / "schemathesis.toml"
_RUNS: Final = {"requests": "examples,coverage,fuzzing", "scenarios": "stateful"}
_REPORT: Final = "report.json"
_PRINTED: Final = "printed.txt"
_START_WITHIN_S: Final = 30
_FUZZ_WITHIN_S: Final = 900


@frozen(kw_only=True)
class Service:
    """A running `automation-retry serve`."""

    url: str
    log: Path


@frozen(kw_only=True)
class Run:
    """One process of Schemathesis: what it reported and printed, and the answers that it got."""

    report: Mapping[str, Any]
    printed: str
    answers: Sequence[Mapping[str, Any]]
    """As tests/fuzz/hooks.py records them."""


@frozen(kw_only=True)
class Campaign:
    """The runs, the OpenAPI document that they were about, and what the service logged."""

    document: Mapping[str, Any]
    runs: Sequence[Run]
    log: Sequence[Mapping[str, Any]]

    @property
    def answers(self) -> Sequence[Mapping[str, Any]]:
        return [answer for run in self.runs for answer in run.answers]

    @property
    def printed(self) -> str:
        return "\n".join(run.printed for run in self.runs)

    def counts(self, field: str) -> Mapping[str, Counter[Any]]:
        """How often each operation, as `GET /healthz`, was answered with each value of a field."""
        counts: dict[str, Counter[Any]] = defaultdict(Counter)
        for answer in self.answers:
            counts[answer["operation"]][answer[field]] += 1
        return counts

    def retries(self) -> int:
        """How many executions were retried by what the answers say, replays not counted."""
        return sum(answer["retried"] for answer in self.answers)


@contextmanager
def serving(database_url: str, folder: Path) -> Iterator[Service]:
    """The service as shipped, in a process of its own, which logs to a file in `folder`."""
    log = folder / "service.log"
    variables = {
        "DATABASE_URL": database_url,
        "AUTOMATION_RETRY_PAYLOAD_LIMIT_BYTES": str(PAYLOAD_LIMIT_BYTES),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", "0"],
            cwd=ROOT,
            env=environment(variables),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Service(url=_address(process, log), log=log)
    finally:
        process.terminate()
        process.wait(60)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_WITHIN_S
    while True:
        for line in lines_of(log):
            if line["event"] == "serving":
                return str(line["address"])
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def lines_of(file: Path) -> list[dict[str, Any]]:
    """The complete lines of a file of JSON lines."""
    return [
        json.loads(line)
        for line in file.read_bytes().splitlines(keepends=True)
        if line[-1:] == b"\n"
    ]


def fuzz(service: Service, population: Population, folder: Path, seed: str) -> Campaign:
    """Runs all phases and all checks, with data that is valid and data that is not.

    Two processes at once, each with failed executions of its own.
    """
    runs = [
        _Process.start(service, part, folder / name, phases, seed)
        for (name, phases), part in zip(_RUNS.items(), population.parts(len(_RUNS)), strict=True)
    ]
    return Campaign(
        runs=[run.result() for run in runs],
        document=httpx.get(f"{service.url}/openapi.json").raise_for_status().json(),
        log=lines_of(service.log),
    )


@frozen
class _Process:
    process: subprocess.Popen[str]
    folder: Path

    @classmethod
    def start(
        cls, service: Service, population: Population, folder: Path, phases: str, seed: str
    ) -> Self:
        folder.mkdir()
        population.write(folder)
        keys = {"operator": population.operator, "stranger": population.stranger}
        users = [
            {"name": name, "fixedHeaders": [{"name": "x-api-key", "value": key}]}
            for name, key in keys.items()
        ]
        (folder / "keys.json").write_text(json.dumps({"auth": users}))
        command = [
            str(Path(sys.executable).parent / "schemathesis"),
            f"--config-file={_CONFIGURATION}",
            "run",
            f"{service.url}/openapi.json",
            f"--url={service.url}",
            "--checks=all",
            "--mode=all",
            f"--phases={phases}",
            f"--seed={seed}",
            "--no-color",
            f"--report-json-path={folder / _REPORT}",
        ]
        with (folder / _PRINTED).open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment({FOLDER: str(folder), "PYTHONPATH": str(ROOT)}),
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        return cls(process, folder)

    def result(self) -> Run:
        """Waits for its end."""
        try:
            self.process.wait(_FUZZ_WITHIN_S)
        finally:
            self.process.kill()
        printed = (self.folder / _PRINTED).read_text()
        report = self.folder / _REPORT
        assert report.exists(), printed
        return Run(
            report=json.loads(report.read_text()),
            printed=printed,
            answers=lines_of(self.folder / ANSWERS),
        )
