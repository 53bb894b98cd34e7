from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import psycopg


class Connect(Protocol):
    """The storage's connection: that of the relay's claim, where there is one.

    Then messages are deferred and removed from the outbox in one transaction: exactly once.
    """

    def __call__(
        self, *, unbounded: bool = False
    ) -> AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]:
        """`unbounded` where statements may take longer than any request, as migrations do."""
        ...
