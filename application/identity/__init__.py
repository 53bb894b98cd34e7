"""Who calls."""

from automation_retry.application.identity.caller import Caller, DescribeCaller

__all__ = ["Caller", "DescribeCaller"]
