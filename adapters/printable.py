"""Text of others, as it may reach a terminal or a log for people."""


def printable(text: str) -> str:
    """`text` with escapes for what a terminal might interpret, as control characters."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )
