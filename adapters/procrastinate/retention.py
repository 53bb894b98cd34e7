"""Events that nobody fetches would stay in Procrastinate's table for ever."""

from typing import Any, Final

from attrs import define, field
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from automation_retry.adapters.procrastinate.connection import Connect
from automation_retry.adapters.procrastinate.destinations import EVENT_QUEUE, EVENT_TASK
from automation_retry.adapters.rights import Right, missing_rights
from automation_retry.application.ports import Retention

TO_REMOVE: Final = (
    Right("procrastinate_jobs", "DELETE"),
    Right("procrastinate_jobs", "UPDATE", ("worker_id",)),  # to lock rows, any column suffices
    Right("procrastinate_events", "SELECT", ("job_id", "type", "at")),
    # A trigger of Procrastinate's clears the references of deleted jobs.
    Right("procrastinate_periodic_defers", "SELECT", ("job_id",)),
    Right("procrastinate_periodic_defers", "UPDATE", ("job_id",)),
)
# The statistics of a table that fills and empties are never right: see the outbox.
PLAN_WITH_INDEXES: Final = """
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)
"""
# Procrastinate has no index of events by age, but ids ascend with it. So this examines the `limit`
# jobs that follow `after`, whatever their queues are, and says where to go on: before the first
# that is too young. A job whose age is unknown, its notes having been deleted, is kept.
REMOVE: Final = """
WITH examined AS MATERIALIZED (
    SELECT j.id, d.at,
           j.queue_name = %(queue)s AND j.task_name = %(task)s AS is_event,
           d.at <= now() - make_interval(secs => %(older_than_s)s) AS is_old
    FROM (
        SELECT id, queue_name, task_name FROM procrastinate_jobs
        WHERE id > %(after)s
        ORDER BY id
        LIMIT %(limit)s
    ) j
    LEFT JOIN LATERAL (
        SELECT min(e.at) AS at FROM procrastinate_events e
        WHERE e.job_id = j.id AND e.type = 'deferred'
    ) d ON true
), locked AS MATERIALIZED (
    SELECT j.id FROM procrastinate_jobs j
    WHERE j.id = ANY(ARRAY(SELECT id FROM examined WHERE is_event AND is_old))
      AND j.status <> 'doing'
    FOR UPDATE SKIP LOCKED
), removed AS (
    DELETE FROM procrastinate_jobs WHERE id = ANY(ARRAY(SELECT id FROM locked)) RETURNING id
)
SELECT (SELECT count(*) FROM removed) AS removed,
       coalesce(min(id) FILTER (WHERE NOT is_old) - 1, max(id), %(after)s) AS after,
       count(*) = %(limit)s AND NOT coalesce(bool_or(NOT is_old), false) AS goes_on
FROM examined
"""


@define(eq=False)
class EventRetention(Retention):
    """Removes event jobs of a certain age by PostgreSQL's clock, whether fetched or not.

    Each object scans the table once, and then examines only rows that have become old enough. An
    event that was locked or in work when the scan passed it is removed by the next process's scan.
    A role that lacks a right in `TO_REMOVE` removes nothing.
    """

    _connect: Connect
    _older_than_s: float
    _after: int = field(init=False, default=0)
    """The id up to which all jobs were examined."""

    async def remove(self, limit: int) -> int:
        async with self._connect() as connection:
            if await missing_rights(connection.cursor(row_factory=dict_row), TO_REMOVE):
                return 0
        goes_on, removed = True, 0
        while goes_on and not removed:
            async with self._connect() as connection, connection.transaction():
                row = await self._examine(connection, limit)
            removed, goes_on, self._after = row["removed"], row["goes_on"], row["after"]
        return removed

    async def _examine(self, connection: AsyncConnection[Any], limit: int) -> dict[str, Any]:
        rows = connection.cursor(row_factory=dict_row)
        await rows.execute(PLAN_WITH_INDEXES)
        await rows.execute(
            REMOVE,
            {
                "queue": EVENT_QUEUE,
                "task": EVENT_TASK,
                "older_than_s": self._older_than_s,
                "after": self._after,
                "limit": limit,
            },
        )
        row = await rows.fetchone()
        assert row is not None  # noqa: S101 - an aggregate has one row
        return row
