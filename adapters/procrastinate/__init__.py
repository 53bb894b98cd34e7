"""Engine on Procrastinate, in the same PostgreSQL as the storage."""

from adapters.procrastinate.engine import ProcrastinateBus, ProcrastinateQueue
from adapters.procrastinate.schema import ProcrastinateSchema

__all__ = ["ProcrastinateBus", "ProcrastinateQueue", "ProcrastinateSchema"]
