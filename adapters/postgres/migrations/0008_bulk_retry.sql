-- Why a failed run was retried, and the reservation of an idempotency key under which that was done.
ALTER TABLE automation_failed_attempts
    ADD COLUMN IF NOT EXISTS reason text,
    ADD COLUMN IF NOT EXISTS reservation_id uuid;

-- A key may stand for any request. `request` is NULL in the records of single retries, whose answer is
-- `execution`. In others `execution_id` is the reservation's id, and `execution` a placeholder with
-- that id: to a process of the version before, it is the answer of some other execution, so it refuses
-- the key as used.
ALTER TABLE automation_idempotency_keys
    ADD COLUMN IF NOT EXISTS request text,
    ADD COLUMN IF NOT EXISTS answer text,
    ADD COLUMN IF NOT EXISTS holder uuid,
    ADD COLUMN IF NOT EXISTS held_until timestamptz;
