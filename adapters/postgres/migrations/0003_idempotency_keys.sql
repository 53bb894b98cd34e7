-- Answers to retries, repeated for a day to a caller that sends the same idempotency key.
CREATE TABLE IF NOT EXISTS automation_idempotency_keys (
    tenant uuid NOT NULL,
    caller uuid NOT NULL,
    key text NOT NULL,
    retried_at timestamptz NOT NULL,
    execution_id uuid NOT NULL,
    execution jsonb NOT NULL,
    PRIMARY KEY (tenant, caller, key)
);

CREATE INDEX IF NOT EXISTS automation_idempotency_keys_retried_at
    ON automation_idempotency_keys (retried_at);
