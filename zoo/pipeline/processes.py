"""Manners of processes that work for another one."""

from __future__ import annotations

import os
import signal
from multiprocessing import parent_process
from threading import Thread


def follow_parent() -> None:
    """End with the parent process, and leave Ctrl-C to it.

    Ctrl-C reaches every process of a terminal: the one that watches ends the others. If it is killed itself, nobody is
    left to hear of the work, and a later build must not wait for its lock.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # who started this process may have blocked it
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
