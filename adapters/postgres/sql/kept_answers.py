"""`automation_idempotency_keys`: requests other than single retries, which have a `request`."""

from typing import Final

# Makes a record, or takes one over that has expired or whose holder has ended; no row if the key
# belongs to somebody. One index lookup. Executed again by the same holder it changes nothing.
RESERVE: Final = """
INSERT INTO automation_idempotency_keys AS k (
    tenant, caller, key, retried_at, execution_id, execution, request, holder, held_until
)
VALUES (
    %(tenant)s, %(caller)s, %(key)s, %(at)s, %(id)s, %(placeholder)s, %(request)s, %(id)s,
    now() + %(held_for)s
)
ON CONFLICT (tenant, caller, key) DO UPDATE
SET execution_id = CASE WHEN k.request = excluded.request AND k.retried_at > %(since)s
                        THEN k.execution_id ELSE excluded.execution_id END,
    retried_at = excluded.retried_at, execution = excluded.execution, request = excluded.request,
    answer = NULL, holder = excluded.holder, held_until = excluded.held_until
WHERE k.retried_at <= %(since)s
   OR k.answer IS NULL AND (k.held_until <= now() OR k.holder = excluded.holder)
RETURNING execution_id AS reservation_id
"""

# What the key stands for: `request` is NULL for a single retry, `answer` while there is none.
KEPT: Final = """
SELECT request, answer FROM automation_idempotency_keys
WHERE tenant = %(tenant)s AND caller = %(caller)s AND key = %(key)s
"""

# Keeps an answer, unless somebody else has taken the reservation over.
KEEP: Final = """
UPDATE automation_idempotency_keys SET answer = %(answer)s
WHERE tenant = %(tenant)s AND caller = %(caller)s AND key = %(key)s AND holder = %(holder)s
  AND answer IS NULL
"""

RELEASE: Final = """
DELETE FROM automation_idempotency_keys
WHERE tenant = %(tenant)s AND caller = %(caller)s AND key = %(key)s AND holder = %(holder)s
  AND answer IS NULL
"""

GIVE_UP: Final = """
UPDATE automation_idempotency_keys SET held_until = now()
WHERE tenant = %(tenant)s AND caller = %(caller)s AND key = %(key)s AND holder = %(holder)s
  AND answer IS NULL
"""

# The executions among these that have an attempt with the mark of the reservation. One index lookup
# for each.
RETRIED_UNDER: Final = """
SELECT a.execution_id, max(a.attempt) AS attempt
FROM automation_failed_attempts a
WHERE a.tenant = %(tenant)s AND a.execution_id = ANY (%(execution_ids)s)
  AND a.reservation_id = %(id)s
GROUP BY a.execution_id
"""
