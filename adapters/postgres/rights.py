"""The rights that a retry and its delivery need, on our tables and on AlgaPSA's."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from automation_retry.adapters.postgres.own_tables import FUNCTIONS_OF
from automation_retry.adapters.rights import Right

# On AlgaPSA's tables, column privileges suffice.
_COLUMNS: Final = {
    ("api_keys", "SELECT"): (
        "tenant",
        "api_key_id",
        "api_key",
        "user_id",
        "active",
        "expires_at",
        "usage_limit",
        "usage_count",
        "last_used_at",
    ),
    ("api_keys", "UPDATE"): ("usage_count", "last_used_at"),
    ("users", "SELECT"): ("tenant", "user_id", "is_inactive"),
    ("user_roles", "SELECT"): ("tenant", "user_id", "role_id"),
    ("role_permissions", "SELECT"): ("tenant", "role_id", "permission_id"),
    ("permissions", "SELECT"): ("tenant", "permission_id", "resource", "action"),
    ("automation_executions", "SELECT"): (
        "tenant",
        "execution_id",
        "automation_rule_id",
        "status",
        "started_at",
        "completed_at",
        "duration_ms",
        "actions_total",
        "actions_successful",
        "actions_failed",
        "error_message",
        "error_stack",
        "failed_action_index",
        "trigger_data",
        "execution_context",
        "logs",
        "retry_count",
    ),
    ("automation_executions", "UPDATE"): (
        "status",
        "started_at",
        "completed_at",
        "duration_ms",
        "actions_successful",
        "actions_failed",
        "error_message",
        "error_stack",
        "failed_action_index",
        "retry_count",
    ),
}
_OWN: Final = {
    "automation_retry_migrations": ("SELECT",),
    "automation_failed_attempts": ("SELECT", "INSERT"),
    "automation_outbox": ("SELECT", "INSERT"),
    "automation_idempotency_keys": ("SELECT", "INSERT", "DELETE"),
}


def _needed() -> Iterator[Right]:
    for (table, privilege), columns in _COLUMNS.items():
        yield Right(table, privilege, columns)
    for table, privileges in _OWN.items():
        for privilege in privileges:
            yield Right(table, privilege)


TO_RETRY: Final[Sequence[Right]] = tuple(_needed())
TO_DELIVER: Final[Sequence[Right]] = tuple(
    Right("automation_outbox", privilege) for privilege in ("UPDATE", "DELETE")
)
# What came later: a role that lacks it still retries, so an upgrade stops nothing.
BESIDES: Final[Mapping[str, Sequence[Right]]] = {
    "Idempotency records are not removed, and bulk retries with a key fail": (
        Right("automation_idempotency_keys", "UPDATE"),
    ),
    "Callers are not told who they are": (Right("users", "SELECT", ("username",)),),
}
"""Rights by what does not work without them."""
TO_LIST_FAILURES: Final[Sequence[str]] = FUNCTIONS_OF["0007_failure_groups"]
"""Functions that may be called."""
