"""Connections as this adapter opens them."""

from functools import cached_property

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow
from psycopg.types.json import set_json_dumps, set_json_loads

from automation_retry.adapters.wire.json_values import dumps, loads

# The URL may override them. Without them a server that hangs would block a request forever.
_DEFAULTS = {
    "application_name": "automation-retry",
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "options": "-c statement_timeout=15s -c lock_timeout=10s",
}


class Connection(psycopg.AsyncConnection[DictRow]):
    """A connection with a cursor that is kept."""

    @cached_property
    def fetching(self) -> psycopg.AsyncCursor[DictRow]:
        """For statements whose rows are all fetched before the next one.

        A new cursor looks up the adapter of each parameter and column again, which takes about as
        long as the rest of a short statement.
        """
        return self.cursor()


def connection_info(url: str) -> str:
    """`url` with defaults for what it leaves open."""
    return make_conninfo("", **(_DEFAULTS | conninfo_to_dict(url)))


async def configure(connection: Connection) -> None:
    """Reads and writes JSON as the rest of the service does."""
    set_json_loads(loads, connection)
    set_json_dumps(dumps, connection)
