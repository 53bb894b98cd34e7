"""How the demo ends: by a signal at any moment, and with a terminal that is gone."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import click
from attrs import define, field


def _interrupt() -> None:
    raise KeyboardInterrupt


def _only_remember() -> None:
    pass


@define(eq=False)
class Ending:
    """The first signal that ends the demo; later ones find it ending already.

    The command turns SIGHUP, of a terminal that closes, and SIGQUIT into SIGTERM. Signals are
    remembered until they are asked for: an exception in any place could be lost, as in a finalizer,
    or leave something open.
    """

    began: bool = field(init=False, default=False)
    _act: Callable[[], None] = field(init=False, default=_only_remember)

    def on_signals(self) -> None:
        """Begins to remember signals. One that is ignored stays ignored."""
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def check(self) -> None:
        """Raises KeyboardInterrupt if a signal came."""
        if self.began:
            raise KeyboardInterrupt

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """A signal raises KeyboardInterrupt at once: for what may wait for long."""
        self._act = _interrupt
        try:
            self.check()
            yield
        finally:
            self._act = _only_remember
        self.check()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs it in an event loop of its own, where a signal cancels it.

        Raises:
            KeyboardInterrupt: a signal came.
        """

        async def cancellable() -> None:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task  # noqa: S101 - for the type checker

            def cancel() -> None:
                loop.call_soon_threadsafe(task.cancel)

            self._act = cancel
            try:
                if self.began:
                    work.close()
                else:
                    await work
            finally:
                self._act = _only_remember

        with suppress(asyncio.CancelledError):
            asyncio.run(cancellable())
        self.check()

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        if not self.began:
            self.began = True
            self._act()


def say(text: str) -> bool:
    """Prints it; whether somebody may have read it: a pipe or a terminal may be gone."""
    try:
        click.echo(text)
    except OSError:
        # What is buffered would fail again when the process exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True
