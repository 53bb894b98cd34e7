"""The flat script, delivering to Procrastinate by its SQL function in the statement that writes."""

from typing import LiteralString

from tests.benchmarks.peers import flat

# The function is called only because the outer query refers to its result.
WRITE: LiteralString = f"""{flat.CHANGE}
    SELECT procrastinate_defer_jobs_v1(ARRAY[
        ROW('automation.executions', 'automation.execute_execution', 0, NULL, NULL, %(job)s::jsonb,
            NULL)::procrastinate_job_to_defer_v1,
        ROW('automation.events', 'automation.execution.retried', 0, NULL, NULL, %(event)s::jsonb,
            NULL)::procrastinate_job_to_defer_v1
    ]) AS ids FROM won
)
SELECT won.retry_count FROM won, sent WHERE sent.ids IS NOT NULL
"""

if __name__ == "__main__":
    flat.serve(WRITE)
