-- What AlgaPSA calls optional may be missing, and payloads hold whatever JSON holds. Nothing is
-- rewritten or scanned. A table that another program made keeps its own rules; ours is recognised by
-- its constraint.
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_constraint
        WHERE conrelid = 'automation_executions'::regclass
          AND conname = 'automation_executions_logs_array'
    ) THEN
        ALTER TABLE automation_executions
            ALTER COLUMN trigger_data DROP NOT NULL,
            ALTER COLUMN started_at DROP NOT NULL,
            ALTER COLUMN actions_successful DROP NOT NULL,
            ALTER COLUMN actions_failed DROP NOT NULL,
            ALTER COLUMN execution_context DROP NOT NULL,
            ALTER COLUMN logs DROP NOT NULL,
            DROP CONSTRAINT IF EXISTS automation_executions_status_known,
            DROP CONSTRAINT IF EXISTS automation_executions_counts_add_up,
            DROP CONSTRAINT IF EXISTS automation_executions_duration_not_negative,
            DROP CONSTRAINT IF EXISTS automation_executions_trigger_data_object,
            DROP CONSTRAINT IF EXISTS automation_executions_context_object,
            DROP CONSTRAINT automation_executions_logs_array;
    END IF;
END;
$$;

-- `out_of_range` has what columns of other types held and those of this table cannot hold.
ALTER TABLE automation_failed_attempts
    ADD COLUMN IF NOT EXISTS out_of_range jsonb,
    ALTER COLUMN started_at DROP NOT NULL,
    ALTER COLUMN actions_successful DROP NOT NULL,
    ALTER COLUMN actions_failed DROP NOT NULL;
