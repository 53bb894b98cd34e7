from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import psycopg

Connect = Callable[[], AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]]
"""The storage's connection: that of the relay's claim, where there is one.

Then messages are deferred and removed from the outbox in one transaction: exactly once.
"""
