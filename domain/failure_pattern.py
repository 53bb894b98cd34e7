"""What failures have in common: their messages with everything folded away that varies.

Migration 0007 repeats this in SQL, and both agree on every text that PostgreSQL can hold. Python's
engine takes the first alternative that matches, PostgreSQL's the longest match. So the regular
expressions are such that the first is the longest, and hold explicit ASCII classes only. None
backtracks further than a short token, so a message costs no more than its length.
"""

import hashlib
import re
from typing import Final
from uuid import UUID

NO_MESSAGE: Final = "<none>"
"""The pattern of a message that is missing, empty or blank."""

_READ: Final = 10_000
"""Characters of a message that are looked at; those beyond are as if they were not there."""
_LINE: Final = 1_000
_PATTERN: Final = 200
_BLANK: Final = " \t\n\v\f\r"
"""ASCII white space: what makes a line blank, is trimmed and collapsed."""

_NON_BLANK: Final = re.compile(r"[^ \t\n\v\f\r]")
_LINE_END: Final = re.compile(r"[\n\r]")

_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

# The extended format, if with a time then to the minute at least; the basic one only with a time: a
# basic date is a number like others.
_TIME: Final = re.compile(
    r"(?<![0-9])(?:[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
    r"|[0-9]{8}[Tt][0-9]{6}(?:[.,][0-9]+)?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)(?![0-9])"
)

# The domain has a dot and ends in letters: `package@1.2.3` is no address.
_EMAIL: Final = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:[.][A-Za-z0-9-]+)*[.][A-Za-z]{2,}"
)

# IPv6 is eight groups or has `::`, may end in IPv4 and may have a zone; a scope as in `std::fs` is
# none. A port follows a closing bracket or, as Node.js writes it, the address itself.
_GROUP: Final = "[0-9A-Fa-f]{1,4}"
_IPV6: Final = re.compile(
    "(?<![0-9A-Za-z_:.>)])(?:"
    f"(?:(?:(?:{_GROUP}:)+|:)(?::{_GROUP})+(?:(?:[.][0-9]{{1,3}}){{3}})?"
    f"|(?:{_GROUP}:)+:|(?:{_GROUP}:){{7,}}{_GROUP})(?:%[0-9A-Za-z]+)?(?::[0-9]+)?"
    "|:::[0-9]+|::(?!:))(?![0-9A-Za-z_])"
)
_IPV4: Final = re.compile("(?<![0-9.])[0-9]{1,3}(?:[.][0-9]{1,3}){3}(?![0-9])(?::[0-9]+)?")
_BRACKETED: Final = re.compile(r"\[<ip>\]:[0-9]+")

# A run of eight or more digits begins with one kind that is followed by the other.
_HEX: Final = re.compile(
    "(?<![0-9])0[Xx][0-9A-Fa-f]+"
    "|(?<![0-9A-Fa-f])(?=[0-9A-Fa-f]{8})(?:[0-9]+[A-Fa-f]|[A-Fa-f]+[0-9])[0-9A-Fa-f]*"
)

_NUMBER: Final = re.compile("[0-9]+(?:[.][0-9]+)*")
_CODE_DIGITS: Final = 3
_BEFORE_CODE: Final = re.compile(r"(?:status|code|http|error)[ :=/]?\Z", re.ASCII | re.IGNORECASE)
_BEFORE_CODE_MOST: Final = len("status:")

_SPACES: Final = re.compile(r"[ \t\v\f]{2,}|[\t\v\f]")

_GROUP_ID: Final = re.compile("fg_[0-9a-f]{16}")


def failure_pattern(error_message: str | None) -> str:
    """What is left of the message's first non-blank line when what varies is folded away.

    At most 200 characters, on one line; `NO_MESSAGE` if there is none. UUIDs, ISO 8601 times,
    e-mail addresses, IP addresses with port, hexadecimal digits and numbers become `<uuid>`,
    `<time>`, `<email>`, `<ip>`, `<hex>` and `<n>`, in this order. A number of three digits stays
    where it is a code: first in the line, or after `status`, `code`, `http` or `error` with at most
    one of space, `:`, `=` and `/` between. Upper and lower case are alike in what is folded and in
    these words, and stay different in what is left.

    Of the message, the first 10,000 characters are looked at, and of the line the first 1,000.
    """
    line = _first_line((error_message or "")[:_READ])
    if not line:
        return NO_MESSAGE
    line = _UUID.sub("<uuid>", line)
    line = _TIME.sub("<time>", line)
    if "@" in line:
        line = _EMAIL.sub("<email>", line)
    if ":" in line:
        line = _IPV6.sub("<ip>", line)
    if "." in line:
        line = _IPV4.sub("<ip>", line)
    line = _BRACKETED.sub("<ip>", line)
    line = _HEX.sub("<hex>", line)
    line = _NUMBER.sub(_fold_number, line)
    return _SPACES.sub(" ", line)[:_PATTERN]


def failure_group_id(automation_rule_id: UUID | None, error_message: str | None) -> str:
    """Names the group of failures that have this rule and the pattern of this message.

    `fg_` and the first 16 hexadecimal digits of SHA-256 of `1`, the rule's id (empty for None) and
    the pattern, each on a line, in UTF-8.
    """
    rule = "" if automation_rule_id is None else str(automation_rule_id)
    # PostgreSQL's text holds no lone surrogates, but a Python string may.
    text = f"1\n{rule}\n{failure_pattern(error_message)}".encode(errors="surrogatepass")
    return f"fg_{hashlib.sha256(text).hexdigest()[:16]}"


def is_failure_group_id(text: str) -> bool:
    """Whether `text` has the form of such a name, whether or not a group has it."""
    return _GROUP_ID.fullmatch(text) is not None


def _first_line(text: str) -> str:
    """The first 1,000 characters of the first line that is not blank, trimmed."""
    found = _NON_BLANK.search(text)
    if not found:
        return ""
    first = found.start()
    start = 1 + max(text.rfind("\n", 0, first), text.rfind("\r", 0, first))
    end = _LINE_END.search(text, first)
    return text[start : end.start() if end else None][:_LINE].strip(_BLANK)


def _fold_number(number: re.Match[str]) -> str:
    digits, start = number[0], number.start()
    if len(digits) != _CODE_DIGITS or "." in digits:
        return "<n>"
    near = max(0, start - _BEFORE_CODE_MOST)
    is_code = start == 0 or _BEFORE_CODE.search(number.string, near, start)
    return digits if is_code else "<n>"
