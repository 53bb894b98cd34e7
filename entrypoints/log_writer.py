import atexit
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

from attrs import define, field

_MAX_WAITING_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
# Lines of this period are written together, so that a busy process does not wake the thread often.
_GATHER_S = 0.05
_FLUSH_WITHIN_S = 1.0


@define(eq=False)
class LogWriter:
    """Writes lines to a file descriptor in a thread.

    `write` never raises or blocks. While the descriptor blocks, as a full pipe without a reader, up
    to 4 MiB of lines are buffered and further ones dropped. Lines that fail to be written, as on a
    full disk, are dropped. Once writing succeeds again, a line reports the number dropped.
    """

    _descriptor: int
    _missing: Callable[[int], str]
    """Renders the line that reports the number of dropped lines."""
    _lines: deque[bytes] = field(init=False, factory=deque)
    _bytes: int = field(init=False, default=0)
    """The size of the lines that are buffered or being written."""
    _dropped: int = field(init=False, default=0)
    _torn: bool = field(init=False, default=False)
    """Whether the last line was written incompletely."""
    _lock: threading.Lock = field(init=False, factory=threading.Lock)
    _wake: threading.Event = field(init=False, factory=threading.Event)

    def start(self) -> None:
        """Starts the thread. At exit, the process waits up to a second for buffered lines."""
        threading.Thread(target=self._run, name="log writer", daemon=True).start()
        atexit.register(self.flush)

    def write(self, line: str) -> None:
        """Buffers one line, passed without its line feed."""
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            if self._bytes + len(data) > _MAX_WAITING_BYTES:
                self._dropped += 1
                return
            self._lines.append(data)
            self._bytes += len(data)
        if not self._wake.is_set():
            self._wake.set()

    def drop(self) -> None:
        """Counts a line that could not be rendered."""
        with self._lock:
            self._dropped += 1

    def flush(self) -> None:
        """Returns when all buffered lines are written, or after a second."""
        deadline = time.monotonic() + _FLUSH_WITHIN_S
        while self._bytes and time.monotonic() < deadline:
            time.sleep(0.005)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while chunk := self._next_chunk():
                self._write_chunk(chunk)
                with self._lock:
                    self._bytes -= len(chunk)
            time.sleep(_GATHER_S)

    def _next_chunk(self) -> bytes:
        chunk = bytearray()
        with self._lock:
            while self._lines and len(chunk) < _CHUNK_BYTES:
                chunk += self._lines.popleft()
        return bytes(chunk)

    def _write_chunk(self, chunk: bytes) -> None:
        with self._lock:
            missing, self._dropped = self._dropped, 0
        report = self._missing(missing).encode() + b"\n" if missing else b""
        lost = self._write_all((b"\n" if self._torn else b"") + report + chunk)
        if lost:
            with self._lock:
                self._dropped += missing + min(lost, chunk.count(b"\n"))

    def _write_all(self, data: bytes) -> int:
        """Returns the number of lines that were not written completely."""
        left = memoryview(data)
        try:
            while left:
                try:
                    left = left[os.write(self._descriptor, left) :]
                except BlockingIOError:  # somebody made it non-blocking
                    select.select([], [self._descriptor], [], 1)
        except OSError:
            if len(left) < len(data):
                self._torn = data[len(data) - len(left) - 1] != ord("\n")
            return bytes(left).count(b"\n")
        self._torn = False
        return 0
