"""What becomes of the log of a service process once it is ready."""

import fcntl
import os
import signal
from contextlib import suppress
from enum import Enum

_SMALLEST_PIPE = 4096


class LogFate(Enum):
    READ = "it is read"
    FULL = "its device is full"
    UNREAD = "its pipe is full and nobody reads it"


def obey_fate(fate: LogFate, pipe: int) -> None:
    """In the service process: SIGUSR1 seals the fate of its log, which goes to `pipe`.

    A process that logs little would not fill even the smallest pipe by itself.
    """
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _SMALLEST_PIPE)
    match fate:
        case LogFate.FULL:
            signal.signal(signal.SIGUSR1, lambda *_: _replace_by_full_device())
        case LogFate.UNREAD:
            signal.signal(signal.SIGUSR1, lambda *_: _fill(pipe))


def _fill(pipe: int) -> None:
    os.set_blocking(pipe, False)
    with suppress(BlockingIOError):
        while os.write(pipe, b"-"):
            pass
    os.set_blocking(pipe, True)


def _replace_by_full_device() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(full, descriptor)
    os.close(full)
