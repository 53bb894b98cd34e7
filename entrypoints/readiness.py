"""The readiness check as processes run it: what it finds is also written to the log."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import define, field

from automation_retry.adapters.log import log
from automation_retry.application import CheckReadiness, ReadinessReport

_FIRST_AFTER_S = 1.0
_INTERVAL_S = 60.0
_WHILE_NOT_READY_S = 5.0


@define(eq=False)
class LoggedReadiness:
    """Logs what a check finds when it differs from what the one before found."""

    _check: CheckReadiness
    _last: ReadinessReport = field(init=False, factory=lambda: ReadinessReport(problems=()))

    async def __call__(self) -> ReadinessReport:
        report = await self._check()
        last, self._last = self._last, report
        if report.problems:
            if report.problems != last.problems:
                log(logging.WARNING, "not ready", problems=[*report.problems])
        elif last.problems:
            log(logging.INFO, "ready")
        # Warnings tell ages, which differ each time.
        if len(report.warnings) > len(last.warnings):
            log(logging.WARNING, "ready with warnings", warnings=[*report.warnings])
        return report

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Checks once a minute, so that the log tells what is wrong where nobody probes.

        While something is wrong it checks every five seconds.
        """
        watch = asyncio.create_task(self._watch(), name="readiness")
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _watch(self) -> None:
        await asyncio.sleep(_FIRST_AFTER_S)
        while True:
            try:
                await self()
            except Exception:  # noqa: BLE001 - the next check may succeed
                log(logging.ERROR, "readiness check failed", exc_info=True)
            await asyncio.sleep(_WHILE_NOT_READY_S if self._last.problems else _INTERVAL_S)
