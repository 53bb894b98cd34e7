"""`automation_outbox`, outside units of work."""

from typing import Final

# A claim and its acknowledgement must be O(batch), independent of the backlog. The statistics of a
# table that fills and empties are never right; where they call it empty, reading and sorting all of
# it looks as cheap to the planner. So, until the transaction ends, it plans with indexes only.
PLAN_WITH_INDEXES: Final = """
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)
"""

# Locks the oldest waiting messages of a kind, without those claimed by another relay and those
# whose execution has an earlier attempt waiting; never waits for a lock. OFFSET 0 keeps the search
# for earlier attempts from becoming a join with the whole backlog, and coalesce keeps it off the
# partial index, which holds every waiting message.
CLAIM: Final = """
SELECT o.ctid AS place, o.tenant, o.id, o.execution_id, o.attempt, o.body::text AS body
FROM automation_outbox o
WHERE o.kind = %(kind)s AND o.dead_at IS NULL
  AND NOT EXISTS (
      SELECT FROM automation_outbox earlier
      WHERE earlier.tenant = o.tenant AND earlier.execution_id = o.execution_id
        AND earlier.kind = o.kind AND earlier.attempt < o.attempt
        AND coalesce(earlier.dead_at, 'infinity') = 'infinity'
      OFFSET 0
  )
ORDER BY o.enqueued_at
LIMIT %(limit)s
FOR UPDATE OF o SKIP LOCKED
"""

# Deletes claimed rows by their place, without an index: rows that the same transaction has locked
# do not move.
ACKNOWLEDGE: Final = "DELETE FROM automation_outbox WHERE ctid = ANY(%(places)s::tid[])"

# Turns one claimed message into a dead letter, found by its primary key.
DEAD_LETTER: Final = """
UPDATE automation_outbox SET dead_at = now(), dead_reason = %(reason)s
WHERE tenant = %(tenant)s AND execution_id = %(execution_id)s
  AND kind = %(kind)s AND attempt = %(attempt)s
"""

# One row for each kind that has messages. Reads the whole table.
BACKLOG: Final = """
SELECT kind, count(*) FILTER (WHERE dead_at IS NULL) AS waiting,
       min(enqueued_at) FILTER (WHERE dead_at IS NULL) AS oldest_at,
       count(*) FILTER (WHERE dead_at IS NOT NULL) AS dead
FROM automation_outbox
GROUP BY kind
"""

# For each kind: the age of the oldest waiting message, the number of dead letters up to a limit,
# and the last delivery failure. O(1) in the backlog, under PLAN_WITH_INDEXES.
STATUS: Final = """
SELECT k.kind,
       (
           SELECT extract(epoch FROM clock_timestamp() - o.enqueued_at)::double precision
           FROM automation_outbox o
           WHERE o.kind = k.kind AND o.dead_at IS NULL
           ORDER BY o.enqueued_at
           LIMIT 1
       ) AS oldest_age_s,
       (
           SELECT count(*) FROM (
               SELECT FROM automation_outbox d
               WHERE d.kind = k.kind AND d.dead_at IS NOT NULL
               LIMIT %(dead_counted)s
           ) dead
       ) AS dead,
       f.reason,
       extract(epoch FROM clock_timestamp() - f.failed_at)::double precision AS failed_age_s
FROM unnest(%(kinds)s::text[]) AS k (kind)
LEFT JOIN automation_delivery_failures f ON f.kind = k.kind
"""

# Keeps the latest reason of each kind.
NOTE_FAILURE: Final = """
INSERT INTO automation_delivery_failures (kind, reason, failed_at)
VALUES (%(kind)s, %(reason)s, clock_timestamp())
ON CONFLICT (kind) DO UPDATE SET reason = excluded.reason, failed_at = excluded.failed_at
"""

# Deletes one row or none.
CLEAR_FAILURE: Final = "DELETE FROM automation_delivery_failures WHERE kind = %(kind)s"

# The oldest dead letters. Reads and sorts all dead letters.
DEAD_LETTERS: Final = """
SELECT tenant, id, kind, execution_id, attempt, body::text AS body, dead_reason AS reason
FROM automation_outbox
WHERE dead_at IS NOT NULL
ORDER BY dead_at, id
LIMIT %(limit)s
"""

# Makes every dead letter wait again.
REDRIVE: Final = """
UPDATE automation_outbox SET dead_at = NULL, dead_reason = NULL WHERE dead_at IS NOT NULL
"""
