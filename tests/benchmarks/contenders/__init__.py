"""All that is measured retrying executions, on the same rows."""
