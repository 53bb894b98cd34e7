"""Engine on Procrastinate, in the same PostgreSQL as the storage."""

from automation_retry.adapters.procrastinate.engine import ProcrastinateBus, ProcrastinateQueue
from automation_retry.adapters.procrastinate.schema import ProcrastinateSchema

__all__ = ["ProcrastinateBus", "ProcrastinateQueue", "ProcrastinateSchema"]
