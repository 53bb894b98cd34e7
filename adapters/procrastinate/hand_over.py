"""Handing over by the commit itself, for storages in the same PostgreSQL."""

from collections.abc import Mapping
from typing import Final, LiteralString

from psycopg.sql import SQL, Composed

from automation_retry.adapters.procrastinate.destinations import DESTINATIONS
from automation_retry.application import MessageKind

FUNCTION: Final = "procrastinate_defer_jobs_v1"

# Procrastinate's versioned function, with what its Python API gives it: no priority, no locks, no
# schedule. It returns the ids of the jobs; where a trigger discarded one, the division fails, and
# nothing is committed.
_QUERY: Final = SQL("""SELECT count(*) / (
        cardinality(procrastinate_defer_jobs_v1(array_agg(
            ROW(CASE m.kind {queues} END, CASE m.kind {tasks} END, 0, NULL, NULL, m.body, NULL)
                ::procrastinate_job_to_defer_v1
        ))) IS NOT DISTINCT FROM count(*)
    )::integer AS handed_over
    FROM message m
    HAVING count(*) > 0""")


def _query() -> LiteralString:
    def by_kind(values: Mapping[MessageKind, str]) -> Composed:
        return SQL(" ").join(
            SQL("WHEN {} THEN {}").format(kind.value, value) for kind, value in values.items()
        )

    return _QUERY.format(
        queues=by_kind({kind: to.queue for kind, to in DESTINATIONS.items()}),
        tasks=by_kind({kind: to.task for kind, to in DESTINATIONS.items()}),
    ).as_string()


HAND_OVER: Final[Mapping[MessageKind, LiteralString]] = dict.fromkeys(DESTINATIONS, _query())
"""For each kind a query that defers the messages of the relation `message (kind, body)`."""
