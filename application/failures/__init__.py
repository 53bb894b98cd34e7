"""What failed, and why: groups of failures that look alike."""

from automation_retry.application.failures.groups import FailureOverview, ListFailureGroups

__all__ = ["FailureOverview", "ListFailureGroups"]
