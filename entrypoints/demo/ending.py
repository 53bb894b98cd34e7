"""How the demo ends: by a signal at any moment, and with a terminal that is gone."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

import click
from attrs import define, field


def _interrupt() -> None:
    raise KeyboardInterrupt


@define(eq=False)
class Ending:
    """The first signal that ends the demo interrupts it; later ones find it ending already.

    SIGHUP, of a terminal that closes, and SIGQUIT act like SIGTERM in all that the demo does.
    """

    _began: bool = field(init=False, default=False)
    _act: Callable[[], None] = field(init=False, default=_interrupt)

    def on_signals(self) -> None:
        """Raises KeyboardInterrupt on the next signal. What is ignored, as by nohup, stays so."""
        handlers = {
            signal.SIGINT: self._on_signal,
            signal.SIGTERM: self._on_signal,
            signal.SIGHUP: _terminate,
            signal.SIGQUIT: _terminate,
        }
        for number, handler in handlers.items():
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, handler)

    def begin(self) -> None:
        """The demo ends: no signal interrupts it any more."""
        self._began = True

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
                await work
            finally:
                self._act = _interrupt

        try:
            asyncio.run(cancellable())
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        if not self._began:
            self.begin()
            self._act()


def _terminate(_: int, __: FrameType | None) -> None:
    signal.raise_signal(signal.SIGTERM)


def say(text: str) -> bool:
    """Prints it; whether somebody may have read it: a pipe or a terminal may be gone."""
    try:
        click.echo(text)
    except OSError:
        # What is buffered would fail again when the process exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True
