"""Whoever retries executions, as fast as it can, on the same rows."""
