"""What is wrong with a URL of PostgreSQL, before anything connects."""

import re
from collections.abc import Mapping
from typing import Final

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from automation_retry.adapters.server_url import PERCENT_ENCODING

_NOWHERE: Final = "/nonexistent"
_MAX_PORT: Final = 65535
_NUMBERS: Final = (
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
)
_RAW_EQUALS_SIGN: Final = "extra key/value separator"
_GSSENCMODES: Final = (None, "disable", "prefer", "require")
_UNKNOWN_PARAMETER: Final = "invalid URI query parameter"


def check_url(url: str) -> None:
    """Parses it as libpq does, and has libpq check the values of its parameters.

    Raises:
        ValueError: it cannot be used; the message repeats nothing that may be a password.
    """
    if not url.isprintable() or " " in url:
        raise ValueError(f"contains spaces or control characters; {PERCENT_ENCODING}")
    try:
        given = conninfo_to_dict(url)
    except UnicodeDecodeError:
        raise ValueError("contains percent-encoded bytes that are not UTF-8") from None
    except psycopg.Error as error:  # its message repeats what it could not parse
        if _RAW_EQUALS_SIGN in str(error):
            raise ValueError("has a = in the value of a parameter; write it as %3D") from None
        if _UNKNOWN_PARAMETER in str(error):
            raise ValueError(
                f"has a parameter after ? that libpq does not know; {PERCENT_ENCODING}"
            ) from None
        raise ValueError(f"cannot be parsed as a URL; {PERCENT_ENCODING}") from None
    # What follows a raw @ or / in a password is taken for a host or a database.
    hosts = str(given.get("host") or "").split(",")
    misplaced = (
        "@@" in url
        or any("@" in host[1:] for host in hosts)
        or ("@" in str(given.get("dbname") or "") and "%40" not in url)
    )
    if misplaced:
        raise ValueError(f"has an @ in the host or in the database; {PERCENT_ENCODING}")
    _check_ports(given)
    for name in _NUMBERS:
        if not re.fullmatch(r"[+-]?[0-9]{1,9}", str(given.get(name, "0"))):
            raise ValueError(f"has a {name} that is not a whole number")
    if given.get("gssencmode") not in _GSSENCMODES:
        raise ValueError("has a gssencmode that is not disable, prefer or require")
    _check_with_libpq(url)


def _check_ports(given: Mapping[str, object]) -> None:
    ports = str(given.get("port") or "").split(",")
    hosts = str(given.get("host") or given.get("hostaddr") or "").split(",")
    for port in ports:
        if port and not (re.fullmatch("[0-9]{1,5}", port) and 1 <= int(port) <= _MAX_PORT):
            raise ValueError(
                f"has a port that is not a number from 1 to {_MAX_PORT}; {PERCENT_ENCODING}"
            )
    if len(ports) not in (1, len(hosts)):
        raise ValueError(f"has {len(ports)} ports for {len(hosts)} hosts; one for all will do")


def _check_with_libpq(url: str) -> None:
    # libpq checks the values before it connects: here to a socket that does not exist.
    # A socket cannot be encrypted, so what demands that is left out.
    nowhere = make_conninfo(url, host=_NOWHERE, hostaddr="", port="", gssencmode="disable")
    connection = pq.PGconn.connect_start(nowhere.encode())
    message = connection.error_message.decode(errors="replace").strip().partition("\n")[0]
    connection.finish()
    if _NOWHERE not in message:
        raise ValueError(f"has a parameter that libpq refuses: {message}")
