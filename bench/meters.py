"""Meters: processor time and memory of other processes, from the kernel."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil


def cpu_seconds(*pids: int) -> float:
    """Return the processor seconds that these processes and their descendants have taken so far."""
    return sum(_clock(process.pid) + _of_the_dead(process) for pid in pids for process in family(pid))


def family(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _clock(pid: int) -> float:
    # clock_getcpuclockid(3): nanoseconds, where the usual counters of /proc tick a hundred times a second.
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _of_the_dead(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.children_user + times.children_system)


@dataclass(slots=True)
class Taken:
    """What a block took, once it is over: seconds of wall and of processor, the latter of the processes named."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def taking(*pids: int, own: bool = False) -> Iterator[Taken]:
    """Measure a block by the clock and by the processor time of processes; with `own`, of this one too."""
    taken = Taken()
    began, before = time.perf_counter(), cpu_seconds(*pids) + (time.process_time() if own else 0.0)
    yield taken
    taken.cpu = cpu_seconds(*pids) + (time.process_time() if own else 0.0) - before
    taken.wall = time.perf_counter() - began


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the resident memory of processes; what they share counts in each."""
    return sum(psutil.Process(pid).memory_info().rss for pid in pids)


def proportional_bytes(pids: Iterable[int]) -> int:
    """Return the memory of processes, what several share divided among them."""
    return sum(psutil.Process(pid).memory_full_info().pss for pid in pids)
