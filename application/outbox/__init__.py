"""Deliver what retries left in the outbox; remove events that nobody took."""

from automation_retry.application.outbox.expire_events import ExpireEvents
from automation_retry.application.outbox.relay import Relayed, RelayOutbox

__all__ = ["ExpireEvents", "RelayOutbox", "Relayed"]
