"""Child processes that answer questions, each a line of JSON.

So the load, and what is measured in process, have interpreters of their own.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from attrs import frozen

Question = dict[str, Any]
Answer = dict[str, Any]


class CompanionDied(Exception):
    """The process ended instead of answering; it has printed why."""


@frozen
class Companion:
    """A module of this package that runs `answer_questions`."""

    process: subprocess.Popen[bytes]

    def ask(self, question: Question) -> Answer:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(orjson.dumps(question, option=orjson.OPT_APPEND_NEWLINE))
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise CompanionDied(self.process.args)
        answer: Answer = orjson.loads(line)
        return answer


@contextmanager
def companion(module: str) -> Iterator[Companion]:
    """Runs `python -m module` until the end of the context."""
    with subprocess.Popen(
        [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield Companion(process)
        finally:
            if process.stdin:
                process.stdin.close()  # it ends with its input
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def answer_questions(answer: Callable[[Question], Answer]) -> None:
    """Answers the questions on standard input, on standard output, until the input ends."""
    for line in sys.stdin.buffer:
        told = orjson.dumps(answer(orjson.loads(line)), option=orjson.OPT_APPEND_NEWLINE)
        sys.stdout.buffer.write(told)
        sys.stdout.buffer.flush()
