from typing import Any


class PassThrough:
    """An adapter around another: what it does not do itself, the inner one does."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
