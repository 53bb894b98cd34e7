import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from attrs import define, field

Handler = Callable[[int, FrameType | None], Any]


@define(eq=False)
class Stop:
    """The shutdown deadline, shared by everything that the process has to finish."""

    grace_s: float
    failed: bool = field(init=False, default=False)
    """Whether the process stops because of an internal failure."""
    _began: float | None = field(init=False, default=None)

    def begin(self) -> None:
        """Starts the grace period; further calls have no effect."""
        if self._began is None:
            self._began = time.monotonic()

    def fail(self) -> None:
        """Shuts this process down like SIGTERM, but with exit status 1."""
        self.failed = True
        signal.raise_signal(signal.SIGTERM)

    @property
    def began(self) -> bool:
        return self._began is not None

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; the whole grace period before `begin`."""
        if self._began is None:
            return self.grace_s
        return max(0.0, self._began + self.grace_s - time.monotonic())

    def begin_on_signals(self) -> None:
        """Makes SIGINT and SIGTERM call `begin` before the handlers installed so far."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            handle = signal.getsignal(number)
            if callable(handle):
                signal.signal(number, self._beginning(handle))

    def _beginning(self, handle: Handler) -> Handler:
        def begin_and_handle(number: int, frame: FrameType | None) -> None:
            self.begin()
            handle(number, frame)

        return begin_and_handle
