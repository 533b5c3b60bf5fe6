"""Starting and stopping processes so that none outlives its launcher and no stranger is ever signalled."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


class LaunchError(Exception):
    """The platform could not be started; the message is one clear line for a person."""

    exit_code = 1


@dataclass(frozen=True)
class Birth:
    """A process told apart from a later one with the same pid, by when it was started."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Birth | None":
        """The process `pid` as it runs now, or None when there is none (a zombie counts as none)."""
        try:
            fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, start_ticks = fields[0], fields[19]
        # Ticks count from the boot, so they only name one moment together with the boot they belong to.
        return None if state in "ZX" else cls(pid, f"{boot_id()}:{start_ticks}")

    @classmethod
    def me(cls) -> "Birth":
        """This process."""
        birth = cls.of(os.getpid())
        if birth is None:
            raise LaunchError("the launcher needs Linux with its /proc")
        return birth

    def is_alive(self) -> bool:
        """True while this very process runs."""
        return Birth.of(self.pid) == self


def boot_id() -> str:
    """Names this boot of the machine."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def dies_with_parent(command: list[str], how: str) -> list[str]:
    """`command`, sent the signal `how` (say "TERM") by the kernel when the thread that started it ends.

    Start such a process from the main thread: the kernel watches the thread, not the process. Without util-linux's
    setpriv the command comes back as it is, and leftovers are only found at the next start.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", how, "--", *command] if setpriv else command


def stop(process: "subprocess.Popen[bytes]", signals: Iterable[tuple[signal.Signals, float]]) -> int:
    """Sends each signal and waits its seconds, then kills; returns the exit code. One that has ended is left alone."""
    for number, seconds in signals:
        if process.poll() is not None:
            break
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    if process.poll() is None:
        process.kill()
    return process.wait()


def carrying(marker: str) -> Iterator[Birth]:
    """Every process of this user in whose environment, as it was at its start, stands `marker` (as NAME=value)."""
    wanted = os.fsencode(marker)
    for folder in PROC.iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid = int(folder.name)
            if wanted in (folder / "environ").read_bytes().split(b"\0") and (birth := Birth.of(pid)):
                yield birth


def kill_carriers(marker: str) -> None:
    """Kills what carries `marker`: told by what it inherited, not by a number that may be somebody else's by now."""
    for birth in carrying(marker):
        with contextlib.suppress(ProcessLookupError):
            os.kill(birth.pid, signal.SIGKILL)


def wait_until_gone(births: list[Birth], seconds: float) -> list[Birth]:
    """Waits until all have ended or the seconds are over; returns those that still run."""
    deadline = time.monotonic() + seconds
    while (left := [birth for birth in births if birth.is_alive()]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
