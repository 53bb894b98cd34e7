"""Retry, read and list executions."""
