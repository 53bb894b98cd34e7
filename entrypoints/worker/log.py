from contextlib import suppress
from typing import Any

import structlog

_log = structlog.get_logger()


def log(level: int, event: str, **fields: Any) -> None:
    """Writes a log line, or loses it: a full disk or a closed pipe must not end a loop."""
    with suppress(Exception):
        _log.log(level, event, **fields)
