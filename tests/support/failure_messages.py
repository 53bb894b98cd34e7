"""Texts made of what the failure pattern folds, and of what two engines may read differently."""

from hypothesis import strategies as st

_FRAGMENTS = (
    *("0", "1", "12", "404", "503", "4011", "1234567", "12345678", "3", ".", ",", "-", "--", "+"),
    *("a", "f", "F", "g", "dead", "deadbeef", "DEADBEEF1", "abcdef0", "0x", "0X1f", "x", "_", "/"),
    *(":", "::", ":::", "=", "%", "@", "[", "]", "(", ")", "<", ">", "<n>", "<ip>", "<hex>"),
    *(" ", "  ", "\t", "\v", "\f", "\r", "\n", "\r\n", "\x1c", "\x1f", "\x85"),
    *(
        "\u00a0",
        "\u2028",
        "\u3000",
        "\ufeff",
        "٣",
        "३",
        "\uff14",
        "¼",
        "é",
        "ß",
        "İ",
        "\u0131",
        "\u017f",
        "\u212a",
    ),
    *("😀", "\U0001f1e9", "中文", "\\", "\\n", "'", '"', "$", "^", "*", "?", "{", "}", "|", "\x01"),
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "3F2504E0-4F89-41D3-9A0C-",
    *("2024-02-29", "2024-13-01", "T12:34", "t12:34:56", " 12:34:56", ".123", "Z", "+02:00"),
    *("-0530", "+05", "20240229T123456", "20240229"),
    *("ada@example.com", "a.b+c@x-y.co.uk", "@1.2.3", "user@localhost", "example.com"),
    *("10.0.0.1", "1.2.3.4.5", ":5432", ":27017", "::1", "fe80::1%eth0", "2001:db8::ff00:42"),
    *("1:2:3:4:5:6:7:8", "::ffff:10.0.0.1", "[::1]:443", "[::]:80", "[10.0.0.1]:25", "ab:cd:01"),
    *(
        "status",
        "STATUS",
        "code",
        "Code",
        "http",
        "HTTP",
        "error",
        "Error",
        "status code ",
        "code=",
    ),
    *("HTTP/1.1 ", "550 5.1.1 ", "5.1.1"),
)
_ALPHABETS = ("0123456789.", "0aA:", "0a:.", "0x1f-", "code 0123.", "a@b.c", "0-T: Z", " \t\n\r0a")
_LONG = (190, 199, 200, 201, 990, 999, 1_000, 1_001, 9_999, 10_000)


def failure_messages() -> st.SearchStrategy[str]:
    """Of some thousand characters at most; PostgreSQL can hold them: no NUL, no surrogates."""
    dense = st.sampled_from(_ALPHABETS).flatmap(lambda of: st.text(of, max_size=40))
    text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
    fragments = st.lists(st.sampled_from(_FRAGMENTS), max_size=25).map("".join)
    padding = st.builds(
        str.__mul__, st.sampled_from([" ", "\n", "x", "0", "a", "中"]), st.sampled_from(_LONG)
    )
    return st.one_of(
        fragments, st.builds("{}{}{}".format, fragments, dense | text | padding, fragments)
    )
