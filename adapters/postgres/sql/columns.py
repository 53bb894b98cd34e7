"""Expressions that mean the same whatever types the columns of `automation_executions` have.

Those about sizes take the parameter `limit`: bytes of a payload, or of a text.
"""

from typing import Final, LiteralString

from psycopg.sql import SQL, Composed

_PAYLOADS: Final = ("trigger_data", "execution_context", "logs")
_TEXTS: Final = ("error_message", "error_stack")


def composed(text: LiteralString, **parts: Composed | SQL) -> LiteralString:
    """A statement of named parts, as text."""
    return SQL(text).format(**parts).as_string()


def utc(column: LiteralString) -> Composed:
    """A `timestamptz` from a time with or without zone, which then is in UTC.

    A cast would use the session's TimeZone. Whole seconds and their fraction are added, because a
    double holds both only until the year 2255. Exact until the year 20200.
    """
    return SQL("""CASE WHEN isfinite({it}) THEN
               to_timestamp(floor(extract(epoch FROM {it}))::double precision)
               + (extract(epoch FROM {it}) - floor(extract(epoch FROM {it})))::double precision
                 * interval '1 second'
           ELSE to_timestamp(extract(epoch FROM {it})::double precision) END""").format(
        it=SQL(column)
    )


def decompressed(column: SQL | Composed) -> Composed:
    """The size of a payload when decompressed.

    A row detoasts what is stored outside of the table's own row, without converting it to text;
    what is stored inside is small.
    """
    return SQL("""CASE WHEN pg_column_compression({it}) IS NULL THEN pg_column_size({it})
               WHEN pg_column_size({it}) <= 8192 THEN octet_length({it}::text)
               ELSE pg_column_size(ROW({it})) END""").format(it=column)


def is_small(table: LiteralString) -> Composed:
    """Whether an execution's texts and payloads, decompressed, take up to 64 KiB.

    If they exceed that as stored, they are not decompressed to find out.
    """
    texts = [SQL("coalesce(octet_length({}), 0)").format(SQL(f"{table}.{one}")) for one in _TEXTS]
    payloads = [SQL(f"{table}.{name}") for name in _PAYLOADS]
    stored = [SQL("coalesce(pg_column_size({}), 0)").format(one) for one in payloads]
    sizes = [SQL("coalesce({}, 0)").format(decompressed(one)) for one in payloads]
    return SQL(
        "CASE WHEN {stored} > least(65536, %(limit)s) THEN false"
        " ELSE {decompressed} <= least(65536, %(limit)s) END"
    ).format(
        stored=SQL(" + ").join([*texts, *stored]),
        decompressed=SQL(" + ").join([*texts, *sizes]),
    )


def large(table: LiteralString) -> Composed:
    """A row that says which texts and payloads are large.

    They exceed `limit` as stored or, payloads, four times that when decompressed.
    """
    payloads = [
        SQL("""coalesce(CASE WHEN pg_column_size({it}) > %(limit)s THEN true
               ELSE {decompressed} > %(limit)s::bigint * 4 END, false) AS {name}""").format(
            it=SQL(f"{table}.{name}"),
            decompressed=decompressed(SQL(f"{table}.{name}")),
            name=SQL(name),
        )
        for name in _PAYLOADS
    ]
    texts = [
        SQL("coalesce(octet_length({it}) > %(limit)s, false) AS {name}").format(
            it=SQL(f"{table}.{name}"), name=SQL(name)
        )
        for name in _TEXTS
    ]
    return SQL("SELECT {} OFFSET 0").format(SQL(", ").join([*payloads, *texts]))


def payload_hash(table: LiteralString) -> Composed:
    """A 64-bit hash of the payloads of an execution, by which a change is noticed."""
    return SQL(" # ").join(
        [
            SQL("coalesce(jsonb_hash_extended({}, {}), 0)").format(SQL(f"{table}.{name}"), seed)
            for seed, name in enumerate(_PAYLOADS, start=1)
        ]
    )


# The names of what `large` found, as a JSON array.
TRUNCATED: Final = SQL("""to_jsonb(array_remove(ARRAY[
               CASE WHEN large.trigger_data THEN 'trigger_data' END,
               CASE WHEN large.execution_context THEN 'execution_context' END,
               CASE WHEN large.logs THEN 'logs' END,
               CASE WHEN large.error_message THEN 'error_message' END,
               CASE WHEN large.error_stack THEN 'error_stack' END
           ]::text[], NULL))""")
