"""Progress on standard error: a run takes minutes."""

import sys
import time

_BEGAN = time.monotonic()


def tell(what: str) -> None:
    print(f"[{time.monotonic() - _BEGAN:6.1f} s] {what}", file=sys.stderr, flush=True)  # noqa: T201
