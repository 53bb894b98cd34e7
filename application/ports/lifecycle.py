from typing import Protocol


class Lifecycle(Protocol):
    """Resources that live as long as the service."""

    async def open(self) -> None:
        """Acquires them. Waits for nothing that may come up later, such as a server."""
        ...

    async def close(self) -> None:
        """Releases them, in bounded time even when the server on the other side hangs."""
        ...
