"""`automation_idempotency_keys`: the answers to retries, outside units of work."""

from typing import Final

# The answer for a key, by one index lookup. `request` is not NULL in the record of a request other
# than a single retry. An expired one is deleted, so that the key can be used for a new answer at
# once.
ANSWERED: Final = """
WITH expired AS (
    DELETE FROM automation_idempotency_keys
    WHERE tenant = %(tenant)s AND caller = %(caller)s AND key = %(key)s
      AND retried_at <= %(since)s
)
SELECT request, execution - ARRAY['trigger_data', 'execution_context', 'logs'] AS record,
       (execution -> 'trigger_data')::text AS trigger_data,
       (execution -> 'execution_context')::text AS execution_context,
       (execution -> 'logs')::text AS logs
FROM automation_idempotency_keys
WHERE tenant = %(tenant)s AND caller = %(caller)s AND key = %(key)s AND retried_at > %(since)s
"""

# Deletes up to `limit` expired records, the oldest first: O(limit). Skips what others are deleting.
REMOVE_EXPIRED: Final = """
DELETE FROM automation_idempotency_keys k
USING (
    SELECT tenant, caller, key FROM automation_idempotency_keys
    WHERE retried_at <= %(before)s
    ORDER BY retried_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
) old
WHERE k.tenant = old.tenant AND k.caller = old.caller AND k.key = old.key
"""
