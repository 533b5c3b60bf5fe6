"""Reading and signalling trees of processes through /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SETTLE_SECONDS = 1.0


def descendants(root: int) -> list[int]:
    """All processes below `root`, parents before their children."""
    children = defaultdict(list)
    for pid, parent in _parents():
        children[parent].append(pid)
    found = list(children[root])
    for pid in found:
        found.extend(children[pid])
    return found


def resident_bytes(pids: Iterable[int]) -> int:
    """The sum of the resident memory of these processes; shared pages count once for each."""
    return sum(_resident(pid) for pid in pids)


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal each process that still exists and is ours."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_all(list_pids: Callable[[], list[int]]) -> None:
    """Kill what `list_pids` finds until it finds nothing new.

    Stopped before they are killed: a stopped fork bomb keeps its places under the process limit, so it cannot refill
    them faster than they are emptied.
    """
    give_up = time.monotonic() + _SETTLE_SECONDS
    seen: set[int] = set()
    while (pids := set(list_pids())) - seen and time.monotonic() < give_up:
        send(pids - seen, signal.SIGSTOP)
        seen |= pids
    send(seen, signal.SIGKILL)


def count_tasks_of(uid: int) -> int:
    """How many threads run as `uid`: RLIMIT_NPROC counts them all, not only those of one step."""
    total = 0
    for pid in _pids():
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid == uid:
                total += len(os.listdir(f"/proc/{pid}/task"))
    return total


def name_process() -> str:
    """A name for this process that no later one has: its pid and the time it started, in clock ticks since boot."""
    return f"{os.getpid()}-{_started_at(os.getpid())}"


def named_process_lives(name: str) -> bool:
    """Whether the process of that name still runs; a name that is none belongs to nobody who does."""
    pid, _, start = name.partition("-")
    return pid.isdigit() and _started_at(int(pid)) == start


def _started_at(pid: int) -> str | None:
    fields = _stat_fields(pid)
    return fields[19] if fields else None


def _pids() -> Iterable[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _parents() -> Iterable[tuple[int, int]]:
    for pid in _pids():
        fields = _stat_fields(pid)
        if fields and fields[0] != "Z":
            yield pid, int(fields[1])


def _stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/pid/stat from the state on: the name before them may hold spaces and brackets."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def unlinked_bytes(pids: Iterable[int], device: int) -> int:
    """Disk held by files of `device` that are open but have no name any more, so that no walk finds them."""
    files = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for number in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    file = os.stat(f"/proc/{pid}/fd/{number}")
                    if stat.S_ISREG(file.st_mode) and file.st_nlink == 0 and file.st_dev == device:
                        files[file.st_ino] = file.st_blocks * 512
    return sum(files.values())
