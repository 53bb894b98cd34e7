"""The installed command as a subprocess, with what it prints."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import field, frozen

ROOT = Path(__file__).parent.parent.parent
COMMAND = str(Path(sys.executable).parent / "automation-retry")


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """This process's, without what would configure the service, and with `variables`."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AUTOMATION_RETRY_", "DATABASE_URL", "RATE_LIMIT_"))
    }
    return {**ours, **variables}


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    return subprocess.run(
        [COMMAND, *arguments],
        env=environment(variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@frozen
class Running:
    """A command that runs until it is told to end, alone in its process group."""

    process: subprocess.Popen[str]
    printed: list[str] = field(factory=list)

    def until(self, text: str) -> str:
        """The next line that holds `text`; fails when the command ends before it comes."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.printed.append(line)
            if text in line:
                return line
        raise AssertionError(f"it ended without {text!r}:\n{''.join(self.printed)}")

    def end(self, number: signal.Signals, *, group: bool = False) -> int:
        """Sends the signal, as a terminal does to the whole `group`; the exit status."""
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        assert self.process.stdout
        self.printed.extend(self.process.stdout)  # communicate() would lose what is buffered
        return self.process.wait(timeout=60)


@contextmanager
def running(
    command: Sequence[str], variables: Mapping[str, str] | None = None
) -> Iterator[Running]:
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(variables or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
