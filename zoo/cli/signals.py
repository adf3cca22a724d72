"""Ctrl-C and SIGTERM: a command cleans up after itself, says in one line that it was stopped, and is gone soon."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

GRACE_SECONDS = 8.0
"""A process that has not ended so soon after the signal is ended."""
_NUDGE_SECONDS = 0.2
_WRITE_SECONDS = 2.0
"""Limit for writing the message: the reader of standard error may have stopped reading."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """The user, or the machine, wants the command to end; no `Exception`, so that no handler takes it for a failure."""


class Signals:
    """How this process answers signals.

    Attributes:
        message: What is written at the end.
    """

    def __init__(self) -> None:
        self.message = "stopped"
        self._number: int | None = None
        self._writing = threading.Lock()

    @contextlib.contextmanager
    def answered(self) -> Iterator[None]:
        """Have the first signal raise `Stopped` in the block, and end the process when the block has cleaned up.

        A signal that is ignored (nohup) stays so. Once the block has ended, nothing disturbs the end of the process.

        Raises:
            SystemExit: A signal came; its code is 128 and the signal's number, as shells have it. It takes the place
                of whatever a library has made of `Stopped`.
        """
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._stop)
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(read_end, threading.get_ident()), daemon=True).start()
        try:
            try:
                yield
            finally:
                self._ignore()
        finally:
            if self._number is not None:
                self._write_message()
                sys.exit(128 + self._number)

    def leave(self) -> None:
        """Have signals answered by a server of its own handlers, which may take longer than `GRACE_SECONDS`."""
        signal.set_wakeup_fd(-1)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._ignore()
        self._number = number
        timer = threading.Timer(GRACE_SECONDS, self._end, args=(number,))
        timer.daemon = True
        timer.start()
        raise Stopped(signal.Signals(number).name)

    def _watch(self, read_end: int, main: int) -> None:
        """Wake the main thread for a signal that came just before it began to wait for something.

        Python's handlers run between two instructions: what waits in a system call then would not notice.
        """
        while (number := os.read(read_end, 1)[0]) not in _SIGNALS:
            pass
        for _ in range(round(GRACE_SECONDS / _NUDGE_SECONDS)):
            time.sleep(_NUDGE_SECONDS)
            if self._number is None:
                signal.pthread_kill(main, number)
        self._end(number)

    def _ignore(self) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _write_message(self) -> None:
        """Write the message once; a second thread waits until it is written, since the process ends after that."""
        if not self._writing.acquire(timeout=_WRITE_SECONDS):
            return
        try:
            if self.message:
                sys.stderr.write(f"{self.message}\n")
                sys.stderr.flush()
        except OSError:  # the reader is gone
            pass
        finally:
            self.message = ""
            self._writing.release()

    def _end(self, number: int) -> None:
        """Cleaning up hangs, or a library has swallowed the exception; worker processes follow this one."""
        self._write_message()
        os._exit(128 + number)


own_signals = Signals()
"""The signals of this process."""
