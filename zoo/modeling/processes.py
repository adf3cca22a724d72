"""Processes that work for another one: they end with it."""

from __future__ import annotations

import os
import signal
from multiprocessing import parent_process
from threading import Thread


def follow_parent() -> None:
    """End with the parent process, and leave Ctrl-C to it.

    Ctrl-C reaches every process of a terminal, and the parent ends the others. If the parent is killed, nobody takes
    the result of the work any more, and a later build must not wait for its lock.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # may be blocked by the parent
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
