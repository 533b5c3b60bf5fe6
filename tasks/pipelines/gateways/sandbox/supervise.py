"""Run a command and outlive none of its processes: `python -I -S supervise.py command…`. Standard library only.

It adopts every orphan below it, so that a daemon which left its session is still found, and kills what is left when
the command ends, when it is told to end, or when the process that started it dies.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from types import FrameType

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> int:
    """The command's exit status, or 128 + n when signal n ended it."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, _stop)
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    first = os.posix_spawn(command[0], command, os.environ, setsigdef=[signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ])
    _close_output()
    code = 0
    try:
        code = _wait_for(first)
    finally:
        _kill_the_rest()
    return code


def _wait_for(first: int) -> int:
    while True:
        pid, status = os.wait()
        if pid == first:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def _close_output() -> None:
    """Else the pipes would look open for as long as we live."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def _kill_the_rest() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        for pid in _children():
            os.kill(pid, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Orphans of those killed become our children in turn, until there are none."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(pid) for pid in file.read().split()]


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
