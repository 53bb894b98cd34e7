import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tests.benchmarks.arena import Arenas
from tests.benchmarks.results import Machine
from tests.support.command import ROOT


def this_machine(arenas: Arenas) -> Machine:
    """The machine, and the commit that is measured."""
    return Machine(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(),
        cpu=_cpu(),
        cores=os.cpu_count() or 0,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        system=platform.platform(terse=True),
        python=platform.python_version(),
        postgresql=arenas.server_version(),
        load_average=round(os.getloadavg()[0] / (os.cpu_count() or 1), 2),
    )


def _cpu() -> str:
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    except FileNotFoundError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _commit() -> str:
    """The commit's id, with a `+` when the files are not those of the commit."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"
