"""Time and ids come in as plain callables, so that nothing here reads a clock or rolls dice."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from automation_retry.application.ports.unit_of_work import UnitOfWork

Clock = Callable[[], datetime]
"""The current time, aware, in UTC."""

NewId = Callable[[], UUID]
"""A new id, never given before."""

NewUnitOfWork = Callable[[], UnitOfWork]
"""A unit of work of one's own, to be entered once."""
