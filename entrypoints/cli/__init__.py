"""The command `automation-retry`: one file for each group of commands."""

from automation_retry.entrypoints.cli.main import main

__all__ = ["main"]
