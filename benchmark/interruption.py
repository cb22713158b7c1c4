"""Ctrl-C and a request to end: either becomes a KeyboardInterrupt of the main thread, and none is lost."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

AGAIN = 0.05  # seconds after which a lost interrupt is delivered again


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does: what is written stays true; the main thread alone may ask for it.

    Compiled code that asks Python something (pydantic: is this value a mapping?) cannot raise what the answer raises.
    The interpreter would print such an interrupt and forget it; here it is delivered again, when it can be raised.
    """

    def deliver_again(lost: UnraisableHookArgs) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            main = threading.main_thread().ident
            timer = threading.Timer(AGAIN, signal.pthread_kill, (main, signal.SIGINT))
            timer.daemon = True
            timer.start()
        else:
            hook(lost)

    handler, hook = signal.signal(signal.SIGTERM, signal.default_int_handler), sys.unraisablehook
    sys.unraisablehook = deliver_again
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGTERM, handler)
