"""The real service for a made-up tenant, with a made-up engine."""

from automation_retry.entrypoints.demo.command import run_demo, serve_memory

__all__ = ["run_demo", "serve_memory"]
