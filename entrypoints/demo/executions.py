"""Executions as a managed service provider would find them on a Monday morning."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from attrs import frozen

from automation_retry.domain import Execution, ExecutionStatus, LogEntry, LogLevel


@frozen(kw_only=True)
class Rule:
    """What an automation does, and what starts it."""

    name: str
    actions: Sequence[str]
    trigger: dict[str, Any]


@frozen(kw_only=True)
class Fault:
    """A way in which an automation's action fails."""

    message: str
    stack: str


ONBOARDING = Rule(
    name="onboard-new-employee",
    actions=("create mailbox", "assign licences", "join groups", "send welcome mail"),
    trigger={
        "type": "ticket.created",
        "ticketNumber": "TIC-1042",
        "requester": "hr@contoso.example",
    },
)
REMINDERS = Rule(
    name="invoice-overdue-reminder",
    actions=("find overdue invoices", "send reminder"),
    trigger={"type": "schedule", "cron": "0 7 * * 1", "invoices": ["INV-2291", "INV-2304"]},
)
_RULES = (
    ONBOARDING,
    Rule(
        name="disk-space-alert",
        actions=("read RMM alert", "clean temporary files", "update ticket"),
        trigger={"type": "rmm.alert", "device": "SRV-FILE-02", "freePercent": 3.8},
    ),
    REMINDERS,
    Rule(
        name="rotate-backup-check",
        actions=("list backup jobs", "verify last run", "open ticket on failure"),
        trigger={"type": "schedule", "cron": "30 5 * * *", "vault": "eu-west-1"},
    ),
)

_FAULTS = (
    Fault(
        message="Graph API answered 429 Too Many Requests after 3 tries",
        stack=(
            "GraphError: 429 Too Many Requests\n"
            "    at GraphClient.request (/srv/engine/dist/connectors/graph.js:118:13)\n"
            "    at async assignLicences (/srv/engine/dist/actions/m365/licences.js:41:5)\n"
            "    at async runAction (/srv/engine/dist/runner.js:87:20)"
        ),
    ),
    Fault(
        message="connect ETIMEDOUT 203.0.113.24:8443",
        stack=(
            "Error: connect ETIMEDOUT 203.0.113.24:8443\n"
            "    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1555:16)\n"
            "    at async RmmClient.alerts (/srv/engine/dist/connectors/rmm.js:64:9)\n"
            "    at async runAction (/srv/engine/dist/runner.js:87:20)"
        ),
    ),
    Fault(
        message="SMTP 454 4.7.0 Temporary authentication failure",
        stack=(
            "SMTPAuthenticationError: 454 4.7.0 Temporary authentication failure\n"
            "    at SMTPConnection._actionAUTHComplete (/srv/engine/dist/mail.js:553:34)\n"
            "    at async sendMail (/srv/engine/dist/actions/mail/send.js:29:3)"
        ),
    ),
)

_STATUSES = (
    *[ExecutionStatus.FAILED] * 8,
    *[ExecutionStatus.COMPLETED] * 9,
    *[ExecutionStatus.PENDING] * 2,
    *[ExecutionStatus.RUNNING] * 2,
    *[ExecutionStatus.CANCELLED] * 1,
    *[ExecutionStatus.TIMEOUT] * 2,
    *[ExecutionStatus.SKIPPED] * 1,
)

COUNT = len(_STATUSES)


def fault(number: int) -> Fault:
    return _FAULTS[number % len(_FAULTS)]


def execution_id(tenant: UUID, number: int) -> UUID:
    """The same for the same tenant and number, so that a restart finds its executions again."""
    return uuid5(tenant, f"execution {number}")


def executions(tenant: UUID, now: datetime) -> Iterator[Execution]:
    """25 of them, in all seven states."""
    for number, status in enumerate(_STATUSES):
        yield execution(tenant, number, status, now - timedelta(minutes=7 * (number + 1)))


def execution(
    tenant: UUID, number: int, status: ExecutionStatus, started_at: datetime
) -> Execution:
    """The execution of that number, as an engine would have left it in that state."""
    rule = _RULES[number % len(_RULES)]
    return run(
        tenant,
        execution_id(tenant, number),
        rule,
        status,
        started_at,
        duration=timedelta(milliseconds=900 + 137 * number),
        stopped_at=1 + number % (len(rule.actions) - 1),
        wrong=fault(number) if status is ExecutionStatus.FAILED else None,
        context={"runner": f"runner-{number % 3}"},
    )


def run(  # noqa: PLR0913 - what a run consists of
    tenant: UUID,
    execution_id: UUID,
    rule: Rule,
    status: ExecutionStatus,
    started_at: datetime,
    *,
    duration: timedelta,
    stopped_at: int,
    wrong: Fault | None,
    context: Mapping[str, Any],
) -> Execution:
    """A run of the rule that did not get beyond the action `stopped_at`, unless it completed."""
    total = len(rule.actions)
    ran = status not in (ExecutionStatus.PENDING, ExecutionStatus.SKIPPED)
    ended = status not in (ExecutionStatus.PENDING, ExecutionStatus.RUNNING)
    successful = total if status is ExecutionStatus.COMPLETED else stopped_at if ran else 0
    return Execution(
        tenant=tenant,
        execution_id=execution_id,
        automation_rule_id=uuid5(tenant, rule.name),
        status=status,
        started_at=started_at,
        completed_at=started_at + duration if ended else None,
        duration_ms=duration / timedelta(milliseconds=1) if ended else None,
        actions_total=total,
        actions_successful=successful,
        actions_failed=1 if wrong else 0,
        error_message=_error(status, wrong),
        error_stack=wrong.stack if wrong else None,
        failed_action_index=stopped_at if wrong else None,
        trigger_data=rule.trigger,
        execution_context={"rule": rule.name, "engine": "demo", **context},
        logs=tuple(_logs(rule, started_at, successful, stopped_at, wrong)) if ran else (),
    )


def _error(status: ExecutionStatus, wrong: Fault | None) -> str | None:
    if status is ExecutionStatus.TIMEOUT:
        return "Execution exceeded its limit of 300000 ms"
    return wrong.message if wrong else None


def _logs(
    rule: Rule, started_at: datetime, successful: int, stopped_at: int, wrong: Fault | None
) -> Iterator[LogEntry]:
    yield LogEntry(
        timestamp=started_at, level=LogLevel.INFO, message=f"Rule {rule.name} triggered",
        metadata={"trigger": rule.trigger["type"]},
    )  # fmt: skip
    for index, action in enumerate(rule.actions[:successful]):
        yield LogEntry(
            timestamp=started_at + timedelta(milliseconds=200 * (index + 1)),
            level=LogLevel.INFO,
            message=f"Done: {action}",
            action_index=index,
        )
    if wrong:
        yield LogEntry(
            timestamp=started_at + timedelta(milliseconds=200 * (successful + 1)),
            level=LogLevel.ERROR,
            message=f"Failed: {rule.actions[stopped_at]}: {wrong.message}",
            action_index=stopped_at,
        )
