from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Budget = Callable[[], AbstractContextManager[object]]
"""Limits the duration of one call of a use case.

The context raises `StorageUnavailable` when time is up; the outcome of a commit is then unknown.
"""

UNBOUNDED: Budget = nullcontext
