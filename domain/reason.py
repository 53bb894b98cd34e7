from typing import Final

MAX_REASON: Final = 500
"""Characters."""


def is_reason(text: str) -> bool:
    """Whether it can be kept as the reason of a retry: 1 to 500 characters, NUL not among them.

    Neither are lone surrogates: no storage can hold them.
    """
    return 1 <= len(text) <= MAX_REASON and not any(
        one == "\0" or "\ud800" <= one <= "\udfff" for one in text
    )
