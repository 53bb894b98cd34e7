"""Why no connection can be opened, for the log, for `/readyz` and for who waited for one."""

import logging
import re
from collections.abc import Callable

import psycopg
from attrs import define, field

from automation_retry.adapters.log import log

_LOG_AGAIN_S = 60.0
_PASSING_S = 10.0
"""Where some connections can be opened and others not, as at a limit, the error stays in force."""

# What the driver and libpq put before the reason has addresses, which `/readyz` does not show.
_REASON = re.compile(r"^.*failed: (?:FATAL:\s+|ERROR:\s+)?(.+)$", re.MULTILINE)
_RESOLUTION = re.compile(r"cannot resolve host [^:]*: ([^\n]+)")
_HINTS = (
    (
        re.compile(r"startup parameter.*options", re.IGNORECASE),
        "DATABASE_URL has `options`, which the pooler refuses; use ALTER ROLE … SET …",
    ),
)
_REMEDIES = tuple(
    (re.compile(pattern, re.IGNORECASE), remedy)
    for pattern, remedy in (
        ("password|role .* does not exist", "check user name and password in DATABASE_URL"),
        ("database .* does not exist", "create the database, or correct its name in DATABASE_URL"),
        ("no pg_hba.conf entry|peer auth", "let pg_hba.conf of the server admit this role"),
        ("refused|No such file", "start PostgreSQL, or correct host and port in DATABASE_URL"),
        ("cannot be resolved", "check the host name in DATABASE_URL"),
        ("timeout|timed out|unreachable", "check host and port in DATABASE_URL, and firewalls"),
        ("does not support SSL", "set sslmode=disable in DATABASE_URL, or TLS up in PostgreSQL"),
        ("certificate", "check sslmode and sslrootcert in DATABASE_URL"),
        ("too many|remaining connection", "close other connections or raise the limit"),
        ("starting up|shutting down|recovery", "try again"),
    )
)


def with_remedy(reason: str) -> str:
    """The reason of a refusal, with what to do about it."""
    remedies = (remedy for pattern, remedy in _REMEDIES if pattern.search(reason))
    return f"{reason}; {next(remedies, 'check DATABASE_URL')}"


def reason_of(error: BaseException) -> str:
    """The reason without the address of the server; errors of libpq contain no passwords."""
    text = str(error)
    if unresolved := _RESOLUTION.search(text):
        return f"the host name cannot be resolved: {unresolved[1]}"
    reasons = dict.fromkeys(_REASON.findall(text)) or {text.strip().partition("\n")[0]: None}
    reason = "; ".join(reasons)
    hints = [hint for pattern, hint in _HINTS if pattern.search(reason)]
    return ": ".join([reason, *hints])


@define(eq=False)
class Refusal:
    """The last failure to connect, until a connection is opened; logged when it changes."""

    _now: Callable[[], float]
    """Seconds by a monotonic clock."""
    _reason: str | None = field(init=False, default=None)
    _failed_at: float = field(init=False, default=0.0)
    _opened_since: bool = field(init=False, default=False)
    _logged: tuple[str, float] | None = field(init=False, default=None)
    _outage_logged: bool = field(init=False, default=False)

    @property
    def reason(self) -> str | None:
        """Why the last connection was refused; None when one was opened, and 10 s have passed."""
        if self._opened_since and self._now() - self._failed_at > _PASSING_S:
            return None
        return self._reason

    def failed(self, error: psycopg.Error) -> None:
        self._reason, self._failed_at, self._opened_since = reason_of(error), self._now(), False
        if self._logged is None or (
            self._logged[0] != self._reason or self._failed_at - self._logged[1] > _LOG_AGAIN_S
        ):
            self._logged = self._reason, self._failed_at
            self._outage_logged = True
            log(logging.WARNING, "cannot connect to the database", reason=self._reason)

    def opened(self) -> None:
        self._opened_since = True
        if self._outage_logged:
            self._outage_logged = False
            log(logging.INFO, "connected to the database")
