"""Signals: one line and the right code, whatever a library makes of the exception (commands: e2e/test_builds.py)."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PREFIX = """
import os, signal, sys, threading
from zoo.cli import signals as module
module.GRACE_SECONDS = 1.0
me = os.getpid()
"""


def run(body: str, *, ignored: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a script in which the block of `answered` is the given one."""
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    script = f"{PREFIX}\nwith module.own_signals.answered():\n{indented}print('went on')\n"
    nohup = (lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignored else None
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, preexec_fn=nohup)


BODIES = {
    "plain": "os.kill(me, signal.NAME)\nsignal.pause()",
    "made into another error": """
try:
    os.kill(me, signal.NAME)
    signal.pause()
except BaseException as error:
    raise SystemError("odd") from error
""",
    "again while it cleans up": """
try:
    os.kill(me, signal.NAME)
    signal.pause()
finally:
    os.kill(me, signal.SIGINT)
    os.kill(me, signal.SIGTERM)
""",
    "unheard while it waits": """
def from_aside(main):
    while open(f"/proc/self/task/{main}/stat").read().rpartition(")")[2].split()[0] != "S":
        pass
    signal.pthread_kill(threading.get_ident(), signal.NAME)  # does not interrupt the main thread

threading.Thread(target=from_aside, args=(threading.get_native_id(),), daemon=True).start()
os.read(os.pipe()[0], 1)
""",
    "swallowed": """
try:
    os.kill(me, signal.NAME)
    signal.pause()
except BaseException:
    threading.Event().wait()
""",
    "swallowed, and its end is slow to be told": """
class Slow:
    def write(self, text):
        threading.Event().wait(0.5)
        os.write(2, text.encode())

    def flush(self):
        pass

sys.stderr = Slow()
try:
    os.kill(me, signal.NAME)
    signal.pause()
except BaseException:
    threading.Event().wait()
""",
}


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("case", BODIES)
def test_a_signal_ends_the_process_with_one_line(case: str, name: str, code: int) -> None:
    done = run(BODIES[case].replace("NAME", name))
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "stopped\n")


def test_what_is_ignored_stays_ignored() -> None:
    done = run("os.kill(me, signal.SIGINT)", ignored=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")


def test_without_a_signal_nothing_changes() -> None:
    assert run("pass").stdout == "went on\n"
    done = run("raise ValueError('a bug')")
    assert done.returncode == 1
    assert "ValueError: a bug" in done.stderr
