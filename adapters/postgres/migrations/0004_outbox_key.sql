-- A message is found by what it is about, by one index alone. A second key, by id, cost every retry
-- two more entries; and where the statistics of a table that fills and empties call it empty, all
-- indexes look alike to the planner, so that it took one that led past every waiting message.
ALTER TABLE automation_outbox
    DROP CONSTRAINT automation_outbox_pkey,
    DROP CONSTRAINT automation_outbox_one_of_each_kind,
    ADD CONSTRAINT automation_outbox_one_of_each_kind
        PRIMARY KEY (tenant, execution_id, kind, attempt);
