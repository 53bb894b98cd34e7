"""Deliver what retries left in the outbox."""

from automation_retry.application.outbox.relay import Relayed, RelayOutbox

__all__ = ["RelayOutbox", "Relayed"]
