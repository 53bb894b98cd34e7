"""The real service for an invented tenant, with a simulated engine."""

from automation_retry.entrypoints.demo.command import run_demo, serve_memory

__all__ = ["run_demo", "serve_memory"]
