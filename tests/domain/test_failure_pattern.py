"""Failures of one cause share a pattern; failures of different causes do not."""

import hashlib
import re
from itertools import combinations
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from automation_retry.domain import NO_MESSAGE, failure_pattern
from tests.support.failure_messages import failure_messages


@pytest.mark.parametrize(
    ("pattern", "messages"),
    [
        (
            "550 <n> <<email>>: Recipient address rejected: User unknown",
            [
                "550 5.1.1 <ada@example.com>: Recipient address rejected: User unknown",
                "550 5.7.1 <b.c+d@mail.example.co.uk>: Recipient address rejected: User unknown",
            ],
        ),
        (
            "451 <n> Temporary failure (queue id <hex>)",
            [
                "451 4.7.1 Temporary failure (queue id 3F2A1B4C5D)",
                "451 4.3.0 Temporary failure (queue id 9AD0217FE3B)",
            ],
        ),
        (
            "connect to mx.example.com<ip>: Connection timed out",
            [
                "connect to mx.example.com[192.0.2.10]:25: Connection timed out",
                "connect to mx.example.com[2001:db8::25]:587: Connection timed out",
            ],
        ),
        ("Request failed with status code 503", ["Request failed with status code 503"]),
        (
            "503 Server Error: Service Unavailable for url: https://api.example.com/v<n>/t/<n>",
            [
                "503 Server Error: Service Unavailable for url: https://api.example.com/v1/t/4711",
                "503 Server Error: Service Unavailable for url: https://api.example.com/v2/t/99",
            ],
        ),
        (
            "timeout of <n>ms exceeded",
            ["timeout of 3000ms exceeded", "timeout of 500ms exceeded"],
        ),
        (
            "connect ECONNREFUSED <ip>",
            [
                "connect ECONNREFUSED 10.12.7.45:5432",
                "connect ECONNREFUSED ::",
                "connect ECONNREFUSED ::1:5432",
                "connect ECONNREFUSED ::1:27017",
                "connect ECONNREFUSED fe80::1%eth0:80",
                "connect ECONNREFUSED ::ffff:10.12.7.45:443",
                "connect ECONNREFUSED 2001:db8:1:2:3:4:5:6:8443",
            ],
        ),
        (
            "listen EADDRINUSE: address already in use <ip>",
            [
                "listen EADDRINUSE: address already in use :::3000",
                "listen EADDRINUSE: address already in use [::]:8080",
                "listen EADDRINUSE: address already in use 0.0.0.0:3000",
            ],
        ),
        (
            'connection to server at "<ip>", port <n> failed: Connection refused',
            [
                'connection to server at "10.0.0.5", port 5432 failed: Connection refused',
                (
                    'connection to server at "::1", port 6432 failed: Connection refused\n'
                    "\tIs the server running on that host and accepting TCP/IP connections?"
                ),
            ],
        ),
        (
            "Access denied for user 'app'@'<ip>' (using password: YES)",
            ["Access denied for user 'app'@'10.0.3.17' (using password: YES)"],
        ),
        (
            "Transaction (Process ID <n>) was deadlocked on lock resources",
            [
                "Transaction (Process ID 67) was deadlocked on lock resources",
                "Transaction (Process ID 112) was deadlocked on lock resources",
            ],
        ),
        (
            'E<n> duplicate key error collection: psa.tickets dup key: { _id: "<hex>" }',
            [
                (
                    "E11000 duplicate key error collection: psa.tickets dup key: "
                    '{ _id: "507f1f77bcf86cd799439011" }'
                ),
                (
                    "E11000 duplicate key error collection: psa.tickets dup key: "
                    '{ _id: "65A1B2C3D4E5F60718293A4B" }'
                ),
            ],
        ),
        (
            "Ticket <uuid> of tenant <uuid> not found at <time>",
            [
                (
                    "Ticket 3f2504e0-4f89-41d3-9a0c-0305e82c3301 of tenant "
                    "7C9E6679-7425-40DE-944B-E07FC1F90AE7 not found at 2024-05-01T12:34:56.789Z"
                ),
                (
                    "Ticket aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee of tenant "
                    "11111111-2222-3333-4444-555555555555 not found at 2024-05-01"
                ),
                (
                    "Ticket 00000000-0000-0000-0000-000000000000 of tenant "
                    "11111111-2222-3333-4444-555555555555 not found at 2024-05-01 12:34:56,7+02"
                ),
            ],
        ),
        (
            "Signature expired: <time> is now earlier than <time>",
            ["Signature expired: 20240101T120000Z is now earlier than 20240101T115500Z"],
        ),
        (
            "User: arn:aws:iam::<n>:user/app is not authorized (RequestID: <uuid>)",
            [
                (
                    "User: arn:aws:iam::123456789012:user/app is not authorized "
                    "(RequestID: 9b1c9c62-1d67-4b0e-9a54-27a9d5ad1e2f)"
                ),
            ],
        ),
        (
            "pod/api-<hex>-q<n>z: image sha<n>:<hex> not found",
            [
                (
                    "pod/api-7d9f8b6c5-q2z: image sha256:"
                    f"{hashlib.sha256(b'one').hexdigest()} not found"
                ),
                (
                    "pod/api-5c8b9d7f4-q31z: image sha256:"
                    f"{hashlib.sha256(b'other').hexdigest()} not found"
                ),
            ],
        ),
        (
            "NullReferenceException at App.Run() in C:\\Run.cs:line <n>, HRESULT <hex>",
            [
                ("NullReferenceException at App.Run() in C:\\Run.cs:line 42, HRESULT 0x80070005"),
                ("NullReferenceException at App.Run() in C:\\Run.cs:line 107, HRESULT 0X8"),
            ],
        ),
        ("npm error lodash@<n>", ["npm error lodash@4.17.21", "npm error lodash@4.17"]),
        ("at std::fs::read (main.rs:<n>:<n>)", ["at std::fs::read (main.rs:12:34)"]),
        ("cut at <n>:<n>:<n>", ["cut at 12:34:56", "cut at 1:2:3"]),
        ("a decade of facades", ["a decade of facades", "a\tdecade \t of  facades"]),
        (
            "first line",
            ["first line", "\r\n \t\n  first line \r\nsecond line", "first line\rsecond"],
        ),
        (NO_MESSAGE, [None, "", " ", "\r\n\t\v\f \n"]),
    ],
)
def test_failures_of_one_cause_share_a_pattern(pattern: str, messages: list[str | None]) -> None:
    assert {failure_pattern(message) for message in messages} == {pattern}


@pytest.mark.parametrize(
    "messages",
    [
        ["Request failed with status code 401", "Request failed with status code 503"],
        ["HTTP 401", "HTTP 503", "http/404", "Http:500"],
        ["error=401 from api", "error=503 from api"],
        ["statusCode 429", "statusCode 500"],
        ["HTTP Error 401: denied", "HTTP Error 403: denied"],
        ["550 5.1.1 rejected", "451 4.7.1 rejected"],
        ["550-5.1.1 rejected", "451-4.7.1 rejected"],
        ["getaddrinfo ENOTFOUND api", "getaddrinfo EAI_AGAIN api"],
        ["unexpected status code 502.", "unexpected status code 504."],
        ["Invalid Grant", "invalid grant"],
    ],
)
def test_failures_of_different_causes_stay_apart(messages: list[str]) -> None:
    assert all(failure_pattern(a) != failure_pattern(b) for a, b in combinations(messages, 2))


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("code 4011", "code <n>"),
        ("code 40", "code <n>"),
        ("code 401.5", "code <n>"),
        ("code 1.5", "code <n>"),
        ("status:401", "status:401"),
        ("code  401", "code <n>"),
        ("code\t401", "code <n>"),
        ("code: 401", "code: <n>"),
        ("ticket 401", "ticket <n>"),
        ("1.401", "<n>"),
        ("  401 Unauthorized", "401 Unauthorized"),
        ("2024-05-01 500", "<time> <n>"),
        ("code \uff14\uff10\uff11", "code \uff14\uff10\uff11"),
        ("\u017ftatus 401", "\u017ftatus <n>"),
    ],
)
def test_only_three_digits_right_after_a_keyword_or_first_are_a_code(
    message: str, pattern: str
) -> None:
    """ASCII digits and letters."""
    assert failure_pattern(message) == pattern


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("abcdefab", "abcdefab"),
        ("12345678", "<n>"),
        ("abcdef1", "abcdef<n>"),
        ("abcdef12", "<hex>"),
        ("1abcdefa", "<hex>"),
        ("access1234567", "access<n>"),
        ("1920x1080", "<n>x<n>"),
        ("2024-13-01", "<n>-<n>-<n>"),
        ("12024-01-01", "<n>-<n>-<n>"),
        ("[::1]", "[<ip>]"),
        ("a ::: b", "a ::: b"),
        ("1:2:3:4:5:6:7", "<n>:<n>:<n>:<n>:<n>:<n>:<n>"),
        ("1.2.3.4567", "<n>"),
        ("ada@localhost", "ada@localhost"),
        ("\u00a0 a\u00a0 b\x1f", "\u00a0 a\u00a0 b\x1f"),
    ],
)
def test_what_only_looks_like_it_is_not_folded(message: str, pattern: str) -> None:
    assert failure_pattern(message) == pattern


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("x" * 201, "x" * 200),
        ("😀" * 201, "😀" * 200),
        ("1 " * 500 + "tail", ("<n> " * 50)),
        (" " * 1_000 + "x", NO_MESSAGE),
        (" " * 999 + "xy", "x"),
        ("\n" * 9_999 + "xy", "x"),
        ("\n" * 10_000 + "xy", NO_MESSAGE),
    ],
)
def test_long_messages_are_cut(message: str, pattern: str) -> None:
    """By characters: 10,000 of the message, 1,000 of the line, 200 of the pattern."""
    assert failure_pattern(message) == pattern


def test_the_thousandth_character_is_the_last_that_counts() -> None:
    digits = "1" * 998

    assert failure_pattern(f"{digits} xy") == "<n> x"


@given(failure_messages() | st.text())
@example("\ud800")
def test_a_pattern_is_one_line_of_at_most_200_characters(message: str) -> None:
    """Of any text; without what varies most."""
    pattern = failure_pattern(message)

    assert 1 <= len(pattern) <= 200
    assert not re.search(r"[\n\r\t\v\f]|  |[0-9]{4}", pattern)


@given(failure_messages(), st.uuids(), st.datetimes(), st.ip_addresses(), st.integers(min_value=0))
def test_values_do_not_matter(
    text: str, uuid: UUID, time: object, address: object, number: int
) -> None:
    """Whatever stands before them on the line."""
    first_line = re.sub(r"[\n\r]", " ", text)[:400]
    first, second = (
        f"{first_line} (id {one} on {at} from {peer}, {n} times)"
        for one, at, peer, n in (
            (uuid, time, address, number),
            ("3F2504E0-4F89-41D3-9A0C-0305E82C3301", "2024-05-01T12:34:56Z", "10.0.0.1", 7),
        )
    )

    assert failure_pattern(first) == failure_pattern(second)
