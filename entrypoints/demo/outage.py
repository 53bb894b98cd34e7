"""The day after an outage: a mail server was down for two hours, and some things failed besides."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from attrs import frozen

from automation_retry.domain import Execution, ExecutionStatus
from automation_retry.entrypoints.demo.executions import ONBOARDING, REMINDERS, Fault, Rule, run

RECIPIENT_EXISTS: Final = "recipient_exists"
"""A field of the context; false where a retry fails again, since no server would help."""

_NOTICES: Final = Rule(
    name="ticket-update-notice",
    actions=("read ticket", "render notice", "send notice"),
    trigger={"type": "ticket.updated", "ticketNumber": "TIC-1877", "board": "Service desk"},
)
_STACK: Final = (
    "    at async sendMail (/srv/engine/dist/actions/mail/send.js:29:3)\n"
    "    at async runAction (/srv/engine/dist/runner.js:87:20)"
)
_REQUESTS: Final = UUID("8c0f3c52-6d8e-4b0b-9d55-1f6f0f1c7a10")
_DAY: Final = timedelta(days=1)
_WENT_DOWN: Final = timedelta(hours=9)
_DOWN_FOR: Final = timedelta(hours=2)


@frozen(kw_only=True)
class _Failures:
    """Those of one kind, spread over some time."""

    count: int
    rules: Sequence[Rule]
    message: Callable[[int], str]
    """Of a number that is different each time."""
    began: timedelta
    """Before now."""
    lasted: timedelta
    recipient_exists: bool = True


_FAILURES: Final = (
    _Failures(
        count=148,
        rules=(_NOTICES, REMINDERS, ONBOARDING),
        message=lambda _: "connect ECONNREFUSED 198.51.100.25:587",
        began=_WENT_DOWN,
        lasted=_DOWN_FOR,
    ),
    _Failures(
        count=121,
        rules=(_NOTICES,),
        message=lambda it: f"SMTP 421 4.3.2 Service shutting down, message 7f{it:010x} not queued",
        began=_WENT_DOWN,
        lasted=_DOWN_FOR,
    ),
    _Failures(
        count=64,
        rules=(_NOTICES, REMINDERS),
        message=lambda it: f"No answer from mail.contoso.example within {30_000 + it % 1000} ms",
        began=_WENT_DOWN,
        lasted=_DOWN_FOR,
    ),
    _Failures(
        count=43,
        rules=(REMINDERS,),
        message=lambda it: f"SMTP 550 5.1.1 <client.{it}@fabrikam.example>: User unknown",
        began=_DAY,
        lasted=_DAY,
        recipient_exists=False,
    ),
    _Failures(
        count=29,
        rules=(ONBOARDING,),
        message=lambda it: (
            f"Graph API answered 429 Too Many Requests, request {uuid5(_REQUESTS, str(it))}"
        ),
        began=_DAY,
        lasted=_DAY,
    ),
)

OUTAGE_COUNT: Final = sum(failures.count for failures in _FAILURES)


def outage_id(tenant: UUID, number: int) -> UUID:
    """The same for the same tenant and number, from 0."""
    return uuid5(tenant, f"outage {number}")


def outage(tenant: UUID, now: datetime) -> Iterator[Execution]:
    """About 400 failed executions of three rules in five failure patterns."""
    number = 0
    for failures in _FAILURES:
        for place in range(failures.count):
            yield _failed(tenant, number, failures, place, now)
            number += 1


def unknown_recipient(execution_id: UUID) -> Fault:
    """How an execution fails again whose recipient does not exist."""
    [failures] = [one for one in _FAILURES if not one.recipient_exists]
    return _fault(failures, execution_id)


def _failed(tenant: UUID, number: int, failures: _Failures, place: int, now: datetime) -> Execution:
    rule = failures.rules[place % len(failures.rules)]
    execution_id = outage_id(tenant, number)
    # Not quite evenly, and the same at each call.
    spread = (place + execution_id.bytes[0] / 256) / failures.count
    return run(
        tenant,
        execution_id,
        rule,
        ExecutionStatus.FAILED,
        now - failures.began + failures.lasted * spread,
        duration=timedelta(milliseconds=700 + 11 * execution_id.bytes[1]),
        stopped_at=len(rule.actions) - 1,
        wrong=_fault(failures, execution_id),
        context={"runner": f"runner-{number % 3}", RECIPIENT_EXISTS: failures.recipient_exists},
    )


def _fault(failures: _Failures, execution_id: UUID) -> Fault:
    message = failures.message(execution_id.int % 16**10)
    return Fault(message=message, stack=f"Error: {message}\n{_STACK}")
