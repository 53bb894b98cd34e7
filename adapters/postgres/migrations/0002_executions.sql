-- AlgaPSA documents automation_executions but ships no migration for it. A table that exists keeps
-- its columns and rows and gets retry_count.

CREATE TABLE IF NOT EXISTS automation_executions (
    tenant uuid NOT NULL,
    execution_id uuid NOT NULL,
    automation_rule_id uuid NOT NULL,
    trigger_data jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL,
    started_at timestamptz NOT NULL,
    completed_at timestamptz,
    duration_ms double precision,
    actions_total integer NOT NULL,
    actions_successful integer NOT NULL DEFAULT 0,
    actions_failed integer NOT NULL DEFAULT 0,
    error_message text,
    error_stack text,
    failed_action_index integer,
    execution_context jsonb NOT NULL DEFAULT '{}',
    logs jsonb NOT NULL DEFAULT '[]',
    retry_count integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, execution_id),
    CONSTRAINT automation_executions_retry_count_not_negative CHECK (retry_count >= 0),
    CONSTRAINT automation_executions_status_known CHECK (
        status IN ('pending', 'running', 'completed', 'failed', 'cancelled', 'timeout', 'skipped')
    ),
    CONSTRAINT automation_executions_counts_add_up CHECK (
        actions_successful >= 0 AND actions_failed >= 0
        AND actions_successful + actions_failed <= actions_total
    ),
    CONSTRAINT automation_executions_duration_not_negative CHECK (duration_ms >= 0),
    CONSTRAINT automation_executions_trigger_data_object CHECK (jsonb_typeof(trigger_data) = 'object'),
    CONSTRAINT automation_executions_context_object CHECK (jsonb_typeof(execution_context) = 'object'),
    CONSTRAINT automation_executions_logs_array CHECK (jsonb_typeof(logs) = 'array')
);

-- The constraint comes with the column, and not to one that another program made. Not validated: all
-- rows have the default, and a scan would lock the table for as long as it takes.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = 'automation_executions'::regclass AND attname = 'retry_count'
          AND NOT attisdropped
    ) THEN
        ALTER TABLE automation_executions ADD COLUMN retry_count integer NOT NULL DEFAULT 0;
        ALTER TABLE automation_executions
            ADD CONSTRAINT automation_executions_retry_count_not_negative CHECK (retry_count >= 0)
            NOT VALID;
    END IF;
END;
$$;

-- What each retry cleared. No foreign key: history is kept when its execution is deleted.
CREATE TABLE IF NOT EXISTS automation_failed_attempts (
    tenant uuid NOT NULL,
    execution_id uuid NOT NULL,
    attempt integer NOT NULL,
    retried_at timestamptz NOT NULL,
    retried_by uuid NOT NULL,
    api_key_id uuid,
    request_id text,
    started_at timestamptz NOT NULL,
    completed_at timestamptz,
    duration_ms double precision,
    actions_successful integer NOT NULL,
    actions_failed integer NOT NULL,
    error_message text,
    error_stack text,
    failed_action_index integer,
    PRIMARY KEY (tenant, execution_id, attempt),
    CONSTRAINT automation_failed_attempts_attempt_positive CHECK (attempt >= 1)
);

-- Messages, written together with their retry and kept until a broker has acknowledged them.
CREATE TABLE IF NOT EXISTS automation_outbox (
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    execution_id uuid NOT NULL,
    attempt integer NOT NULL,
    body jsonb NOT NULL,
    enqueued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    dead_at timestamptz,
    dead_reason text,
    PRIMARY KEY (tenant, id),
    CONSTRAINT automation_outbox_one_of_each_kind UNIQUE (tenant, execution_id, attempt, kind),
    CONSTRAINT automation_outbox_kind_known CHECK (kind IN ('job', 'event')),
    CONSTRAINT automation_outbox_dead_has_reason CHECK ((dead_at IS NULL) = (dead_reason IS NULL))
);

CREATE INDEX IF NOT EXISTS automation_outbox_waiting ON automation_outbox (kind, enqueued_at)
    WHERE dead_at IS NULL;

-- Every row is deleted soon after it was written: vacuum by the number of dead rows, not by their
-- share of the table.
ALTER TABLE automation_outbox SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000
);
