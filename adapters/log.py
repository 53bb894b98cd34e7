from typing import Any

import structlog

_log = structlog.get_logger()  # noqa: TID251 - the one logger


def log(level: int, event: str, **fields: Any) -> None:
    """Writes a log line; never raises.

    An error of the logger must not end a loop or change an answer. In process, the logger is the
    host's and may raise anything.
    """
    try:  # noqa: SIM105 - `suppress` would take longer than the rest of this function
        _log.log(level, event, **fields)
    except Exception:  # noqa: BLE001, S110 - see above
        pass
