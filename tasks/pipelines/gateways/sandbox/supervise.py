"""Run a command and outlive none of its processes: `python -I -S supervise.py STATUS COMMAND…`. Standard library only.

It adopts every orphan below it, so that a daemon which left its session is still found. It keeps to what the launch
promises a program around a step: the pipes at 3 and 4, the gate as standard input, a byte in STATUS at start and end.
When the command has ended and the gate closes, or the process that started it dies, it kills what is left.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_AS_PYTHON_FOUND_THEM = [signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ]
_PIPES = [
    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
    (os.POSIX_SPAWN_DUP2, 3, 1),
    (os.POSIX_SPAWN_DUP2, 4, 2),
    (os.POSIX_SPAWN_CLOSE, 3),
    (os.POSIX_SPAWN_CLOSE, 4),
]


def main(status: str, command: list[str]) -> int:
    """The command's exit status, or 128 + n when signal n ended it."""
    signal.signal(signal.SIGTERM, _stop)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    first = os.posix_spawn(command[0], command, os.environ, file_actions=_PIPES, setsigdef=_AS_PYTHON_FOUND_THEM)
    os.closerange(3, 5)
    try:
        _report(status)
        code = _wait_for(first)
        _report(status)
        while os.read(0, 1):
            pass
    finally:
        _kill_the_rest()
    return code


def _wait_for(first: int) -> int:
    while True:
        pid, status = os.wait()
        if pid == first:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def _report(status: str) -> None:
    try:
        with open(status, "a", encoding="ascii") as file:
            file.write(".")
    except OSError:
        return  # the step has taken it away, which harms only itself


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


def _stop(*_: object) -> None:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
