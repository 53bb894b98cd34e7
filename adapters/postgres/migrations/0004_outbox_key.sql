-- One key, by what a message is about. A second one, by id, cost every retry two more index entries.
-- And where statistics call the table empty, as they do for one that fills and empties, all indexes
-- look alike to the planner, and it chose one that scans the whole backlog.
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_constraint
        WHERE conrelid = 'automation_outbox'::regclass AND conname = 'automation_outbox_pkey'
    ) THEN
        ALTER TABLE automation_outbox
            DROP CONSTRAINT automation_outbox_pkey,
            DROP CONSTRAINT automation_outbox_one_of_each_kind,
            ADD CONSTRAINT automation_outbox_one_of_each_kind
                PRIMARY KEY (tenant, execution_id, kind, attempt);
    END IF;
END;
$$;
