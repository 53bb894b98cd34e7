"""Planted bugs by which a service hangs or falls silent when something around it does."""

import sys
from contextlib import nullcontext
from typing import Any

import structlog

from automation_retry.adapters import log
from automation_retry.adapters.log import _log
from automation_retry.adapters.time_limits import TimeLimits


def wait_without_bound() -> None:
    """PostgreSQL's own timeouts remain; they do not help when its answer is lost."""
    TimeLimits.until = lambda *_, **__: nullcontext()  # type: ignore[assignment, method-assign]


def log_calls_raise() -> None:
    """Lines are written where they are logged, and what that raises reaches the caller."""
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(sys.stderr))
    # In place: other modules have imported the function by its name.
    log.log.__code__ = _raising.__code__


def _raising(level: int, event: str, **fields: Any) -> None:
    _log.log(level, event, **fields)
