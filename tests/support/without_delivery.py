"""The service without any delivery: both messages stay in the outbox."""

from collections.abc import Mapping
from typing import Final

WITHOUT_DELIVERY: Final[Mapping[str, str]] = {
    "AUTOMATION_RETRY_JOB_QUEUE": "redis",
    "AUTOMATION_RETRY_EVENT_BUS": "redis",
    "AUTOMATION_RETRY_REDIS_URL": "redis://127.0.0.1:1",
    "AUTOMATION_RETRY_RELAY": "false",
}
"""Environment variables. Only a relay connects to Redis, and there is none."""
