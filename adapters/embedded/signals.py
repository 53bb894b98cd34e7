import contextlib
import signal
import sys
import threading
from collections.abc import Iterator

_ENDING = {signal.SIGINT, signal.SIGTERM}
if sys.platform != "win32":
    _ENDING |= {signal.SIGHUP, signal.SIGQUIT}


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Signals that end a process are handled when the context ends, and not within it.

    A handler that raises could otherwise do so between the start of a server and the line that
    remembers it, or while it is being stopped, and leave it running. Signals without a handler in
    Python act as ever.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread only
        return
    arrived: list[int] = []
    handlers = {number: signal.getsignal(number) for number in _ENDING}
    replaced = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in replaced:
        signal.signal(number, lambda number, _: arrived.append(number))
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
        for arrived_number in dict.fromkeys(arrived):
            signal.raise_signal(arrived_number)
