"""URLs of servers in settings. They may hold passwords, so no error repeats any part of them."""

from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

PERCENT_ENCODING: Final = (
    "special characters in user name and password must be percent-encoded "
    "(@ as %40, / as %2F, : as %3A, # as %23, ? as %3F, % as %25, a space as %20)"
)


def server_urls(text: str, *schemes: str) -> tuple[SplitResult, ...]:
    """One URL, or several separated by commas; none where the text is empty.

    Raises:
        ValueError: one is malformed; the message says how, without repeating it.
    """
    return tuple(server_url(url.strip(), *schemes) for url in text.split(",")) if text else ()


def server_url(url: str, *schemes: str) -> SplitResult:
    """One URL.

    Raises:
        ValueError: it is malformed; the message says how, without repeating it.
    """
    if not url.lower().startswith(tuple(f"{scheme}://" for scheme in schemes)):
        expected = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ValueError(f"must begin with {expected}")
    try:
        parsed = urlsplit(url)
        _ = parsed.port
    except ValueError:  # its message repeats what it could not read
        raise ValueError(f"has no valid host and port; {PERCENT_ENCODING}") from None
    if not url.isprintable() or " " in url:
        raise ValueError(f"contains spaces or control characters; {PERCENT_ENCODING}")
    # A password with one of these ends the part in which the host is.
    if parsed.fragment or "@" in parsed.path + parsed.query:
        raise ValueError(f"has a # or an @ after the host; {PERCENT_ENCODING}")
    if not _percent_encoded(parsed.netloc):
        raise ValueError(f"has a % that begins no percent-encoding; {PERCENT_ENCODING}")
    if "\0" in _decoded(parsed.netloc):
        raise ValueError("contains a percent-encoded NUL")
    return parsed


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("contains percent-encoded bytes that are not UTF-8") from None


def _percent_encoded(text: str) -> bool:
    digits = (part[:2] for part in text.split("%")[1:])
    return all(len(two) == 2 and set(two) <= set("0123456789abcdefABCDEF") for two in digits)  # noqa: PLR2004
