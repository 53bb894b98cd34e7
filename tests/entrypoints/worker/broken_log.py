from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def broken_log() -> Iterator[list[str]]:
    """Every line is lost with an error, as on a full disk; the events that were lost."""
    lost: list[str] = []

    def fail(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
        lost.append(event["event"])
        raise OSError(28, "No space left on device")

    # In place, as structlog's own `capture_logs`: cached loggers hold this list.
    processors = structlog.get_config()["processors"]
    before = list(processors)
    processors[:] = [fail]
    try:
        yield lost
    finally:
        processors[:] = before
