"""Logs: structlog lines on standard error, as JSON or for a console."""

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import structlog

from automation_retry.adapters.printable import printable
from automation_retry.entrypoints.log_writer import LogWriter

_STANDARD_ERROR = 2
_LINES = frozenset({"traceback", "exception"})
"""Fields that have several lines."""


def configure_logging(log_format: str, level: str) -> None:
    """Sends this service's lines, and those of its libraries, through the same two processors.

    No line carries a key, a digest, or what a tenant's execution holds: nothing logs them, and
    tracebacks are rendered without the values of locals. Whatever becomes of standard error, no
    line raises or waits: see `LogWriter`.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [
            _printable_values,
            structlog.dev.ConsoleRenderer(
                colors=_has_colors(),
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ]
    )
    threshold = getattr(logging, level.upper())
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
    )

    def missing(lines: int) -> str:
        line: Any = {"event": "log lines dropped", "lines": lines}
        for process in (*shared, *render):
            line = process(None, "warning", line)
        return str(line)

    writer = LogWriter(_STANDARD_ERROR, missing)
    writer.start()
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: _LineLogger(writer.write),
        cache_logger_on_first_use=True,
    )
    if threshold > logging.DEBUG:
        # Each attempt to connect is a line; the storage's adapter has one for each change.
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.basicConfig(
        handlers=[_LineHandler(writer, formatter)],
        level=max(threshold, logging.WARNING),
        force=True,
    )


def _has_colors() -> bool:
    """See https://no-color.org."""
    return sys.stderr is not None and sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def _printable_values(
    _logger: Any, _method: str, fields: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """For terminals: JSON escapes what they interpret, the console's format does not."""
    return {
        name: printable(value) if isinstance(value, str) and name not in _LINES else value
        for name, value in fields.items()
    }


class _LineLogger:
    """Receives structlog's rendered lines, of all levels."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.msg = self.debug = self.info = self.warning = self.error = self.critical = write


class _LineHandler(logging.Handler):
    """Receives the records of the standard library's loggers."""

    def __init__(self, writer: LogWriter, formatter: logging.Formatter) -> None:
        super().__init__()
        self._writer = writer
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.write(self.format(record))
        except Exception:  # noqa: BLE001 - the caller must not fail because of its log line
            self._writer.drop()
