"""Whether the service can do its work."""

from automation_retry.application.operations.readiness import CheckReadiness, ReadinessReport

__all__ = ["CheckReadiness", "ReadinessReport"]
