"""Everything that a storage holds of a tenant, whatever its tables are."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import attrs
from psycopg.rows import scalar_row
from psycopg.sql import SQL, Identifier

from automation_retry.application.ports import ApiKey
from tests.support.walls.tenants import Tenant
from tests.support.world import World

_TABLES = """
SELECT relname FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
ORDER BY relname
"""
_ROWS = """
SELECT %(table)s || ' ' || left(row::text, 200) || ' ' || md5(row::text) FROM (
    SELECT to_jsonb(t) - %(without)s::text AS row FROM {table} t WHERE t::text LIKE %(pattern)s
) rows ORDER BY 1
"""


async def rows_of(world: World, tenant: Tenant, *, last_used_at: bool = True) -> Sequence[str]:
    """The rows of all tables that name the tenant, shortened, each with its hash.

    In memory, the items of all collections. An authentication changes `last_used_at` of the key.
    """
    if world.storage.connection is None:
        store = world.container.memory_store()
        return sorted(_items(store, str(tenant.id), last_used_at=last_used_at))
    found: list[str] = []
    async with world.storage.connection() as connection:
        cursor = connection.cursor(row_factory=scalar_row)
        for table in await (await cursor.execute(_TABLES)).fetchall():
            statement = SQL(_ROWS).format(table=Identifier(table))
            values = {
                "table": table,
                "pattern": f"%{tenant.id}%",
                "without": "" if last_used_at else "last_used_at",
            }
            found += await (await cursor.execute(statement, values)).fetchall()
    return found


def _items(part: Any, tenant: str, *, last_used_at: bool) -> Iterator[str]:
    """Those of the collections in an object that is compared by identity."""
    for name in (field.name for field in attrs.fields(type(part))):
        value = getattr(part, name)
        if isinstance(value, Mapping):
            yield from _entries(name, value, tenant, last_used_at=last_used_at)
        elif attrs.has(type(value)):
            yield from _items(value, tenant, last_used_at=last_used_at)
        elif isinstance(value, Collection) and not isinstance(value, str):
            yield from (_shortened(name, text) for one in value if tenant in (text := _text(one)))


def _entries(
    name: str, entries: Mapping[Any, Any], tenant: str, *, last_used_at: bool
) -> Iterator[str]:
    for key, value in entries.items():
        if isinstance(value, Mapping):
            yield from _entries(name, value, tenant, last_used_at=last_used_at)
            continue
        if isinstance(value, ApiKey) and not last_used_at:
            value = attrs.evolve(value, last_used_at=None)  # noqa: PLW2901
        if tenant in (text := f"{_text(key)}: {_text(value)}"):
            yield _shortened(name, text)


def _text(value: Any) -> str:
    """What `repr` leaves out included."""
    if attrs.has(type(value)):
        fields = attrs.fields(type(value))
        return f"({', '.join(f'{one.name}={_text(getattr(value, one.name))}' for one in fields)})"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_text, value))})"
    if isinstance(value, set | frozenset):
        return f"({', '.join(sorted(map(_text, value)))})"
    return str(value)


def _shortened(name: str, text: str) -> str:
    return f"{name} {text[:200]} {sha256(text.encode()).hexdigest()}"
