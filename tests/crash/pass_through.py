from typing import Any


class PassThrough:
    """Wraps an adapter; what a subclass does not define is that of the adapter inside."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
