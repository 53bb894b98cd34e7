"""The background of a process: one file for each loop, under a supervisor that restarts them."""

from automation_retry.entrypoints.worker.housekeeping import HousekeepingLoop
from automation_retry.entrypoints.worker.loop import Loop
from automation_retry.entrypoints.worker.relay import RelayLoop
from automation_retry.entrypoints.worker.supervisor import Supervisor
from automation_retry.entrypoints.worker.wake_up import WakeUp

__all__ = ["HousekeepingLoop", "Loop", "RelayLoop", "Supervisor", "WakeUp"]
