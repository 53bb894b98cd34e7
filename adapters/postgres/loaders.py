"""Values as this adapter reads them, whatever the session's settings."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format
from psycopg.types.json import set_json_dumps, set_json_loads

OUT_OF_RANGE: Final = object()
"""Stands for a time that no `datetime` can hold, as infinity."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class _MomentLoader(Loader):
    """Times with and without zone as datetimes in UTC."""

    format = Format.BINARY

    def load(self, data: Buffer) -> datetime | object:
        microseconds = int.from_bytes(data, "big", signed=True)
        try:
            return _EPOCH + timedelta(microseconds=microseconds)
        except OverflowError:
            return OUT_OF_RANGE


def _loads(text: str | bytes) -> Any:
    """The value of a JSON text, numbers beyond a double included."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def register_loaders(connection: psycopg.AsyncConnection[Any]) -> None:
    """Has the connection read JSON and, in binary results, times as described above."""
    set_json_loads(_loads, connection)
    set_json_dumps(orjson.dumps, connection)
    for type_name in ("timestamp", "timestamptz"):
        connection.adapters.register_loader(type_name, _MomentLoader)
