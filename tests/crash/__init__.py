"""Crash test: the service and its servers are killed; then every promise is audited.

`python -m tests.crash --help` says how to run it.
"""
