"""Time and ids are passed in as plain callables: use cases read no clock and draw no random ids."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

Clock = Callable[[], datetime]
"""The current time, aware, in UTC."""

NewId = Callable[[], UUID]
"""A new id on each call."""
