-- Whether there are dead letters is asked at each readiness probe, however many messages wait.
CREATE INDEX IF NOT EXISTS automation_outbox_dead ON automation_outbox (kind, dead_at)
    WHERE dead_at IS NOT NULL;

-- Why messages of a kind could not be delivered last, told by the relays to whoever asks.
CREATE TABLE IF NOT EXISTS automation_delivery_failures (
    kind text PRIMARY KEY,
    reason text NOT NULL,
    failed_at timestamptz NOT NULL
);
