"""Control groups: limits on a whole tree of processes, of cgroup v2 where it can be had, else of v1.

Files and meanings: https://docs.kernel.org/admin-guide/cgroup-v2.html and .../cgroup-v1/.
"""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.pipelines.gateways.sandbox.base import Limits, SandboxFailed
from tasks.pipelines.gateways.sandbox.processes import kill_all, name_process, named_process_lives

CONTROLLERS = ("memory", "pids", "cpu")
_PREFIX = "headrace-step"
_CPU_PERIOD_MICROSECONDS = 100_000
_REMOVE_SECONDS = 2.0

_serial = itertools.count()


@dataclass(frozen=True, slots=True)
class ControlGroups:
    """Where groups can be made: a parent directory for each controller that works here; in v2 it is always the same."""

    version: int
    parents: Mapping[str, Path]

    def make(self) -> ControlGroup:
        """Make a group for one step. Raises SandboxFailed when the system no longer lets us."""
        name = f"{_PREFIX}-{name_process()}-{next(_serial)}"
        group = ControlGroup(self.version, {controller: parent / name for controller, parent in self.parents.items()})
        try:
            for directory in group.directories():
                directory.mkdir()
        except OSError as error:
            group.remove()
            raise SandboxFailed("A control group for the step could not be made.") from error
        return group

    def remove_abandoned(self) -> None:
        """Kill and remove what workers that were killed left behind."""
        for parent in set(self.parents.values()):
            for directory in parent.glob(f"{_PREFIX}-*-*-*"):
                owner = directory.name.removeprefix(f"{_PREFIX}-").rpartition("-")[0]
                if not named_process_lives(owner):
                    ControlGroup(self.version, {"pids": directory}).remove()


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """The group of one step: one directory in v2, one for each controller in v1."""

    version: int
    paths: Mapping[str, Path]

    def directories(self) -> list[Path]:
        """The distinct directories that make up the group."""
        return list(dict.fromkeys(self.paths.values()))

    def limit(self, limits: Limits) -> None:
        """Apply the limits whose controllers are there."""
        if limits.memory_bytes is not None and "memory" in self.paths:
            self._limit_memory(limits.memory_bytes)
        if limits.processes is not None and "pids" in self.paths:
            self._write("pids", "pids.max", str(limits.processes))
        if limits.cpus is not None and "cpu" in self.paths:
            self._limit_cpus(limits.cpus)

    def add(self, pid: int) -> None:
        """Move a process into the group; what it starts from now on is born there."""
        for directory in self.directories():
            (directory / "cgroup.procs").write_text(str(pid))

    def pids(self) -> list[int]:
        """The processes in the group."""
        found: set[int] = set()
        for directory in self.directories():
            with contextlib.suppress(OSError):
                found.update(map(int, (directory / "cgroup.procs").read_text().split()))
        return sorted(found - {0})

    def kill(self) -> None:
        """Kill every process in the group, also one that forks without end."""
        for directory in self.directories():
            with contextlib.suppress(OSError):
                (directory / "cgroup.kill").write_text("1")
                return
        with contextlib.suppress(OSError):
            self._write("pids", "pids.max", "0")
        kill_all(self.pids)

    def memory_bytes(self) -> int:
        """Anonymous memory in use; the page cache is left out, as the kernel takes it back before the limit hurts."""
        key = "anon" if self.version == 2 else "total_rss"
        return self._read_count("memory.stat", key)

    def peak_memory_bytes(self) -> int | None:
        """The most ever used, with the page cache; None where the kernel does not tell."""
        file = "memory.peak" if self.version == 2 else "memory.max_usage_in_bytes"
        try:
            return int((self.paths["memory"] / file).read_text())
        except (OSError, KeyError):
            return None

    def out_of_memory_kills(self) -> int:
        """How many processes the kernel has killed for the memory limit."""
        file = "memory.events" if self.version == 2 else "memory.oom_control"
        return self._read_count(file, "oom_kill")

    def remove(self) -> None:
        """Kill what is left and take the group away; the kernel needs a moment until the dead have gone."""
        give_up = time.monotonic() + _REMOVE_SECONDS
        for directory in self.directories():
            while directory.exists() and not _removed(directory) and time.monotonic() < give_up:
                self.kill()
                time.sleep(0.005)

    def _limit_memory(self, amount: int) -> None:
        if self.version == 2:
            self._write("memory", "memory.max", str(amount))
            self._write("memory", "memory.oom.group", "1")
        else:
            self._write("memory", "memory.limit_in_bytes", str(amount))
        swap = ("memory.swap.max", "0") if self.version == 2 else ("memory.memsw.limit_in_bytes", str(amount))
        with contextlib.suppress(OSError):  # kernels without swap accounting have no such file
            self._write("memory", *swap)

    def _limit_cpus(self, cpus: float) -> None:
        quota = max(1_000, int(cpus * _CPU_PERIOD_MICROSECONDS))
        if self.version == 2:
            self._write("cpu", "cpu.max", f"{quota} {_CPU_PERIOD_MICROSECONDS}")
        else:
            self._write("cpu", "cpu.cfs_period_us", str(_CPU_PERIOD_MICROSECONDS))
            self._write("cpu", "cpu.cfs_quota_us", str(quota))

    def _write(self, controller: str, file: str, value: str) -> None:
        (self.paths[controller] / file).write_text(value)

    def _read_count(self, file: str, key: str) -> int:
        if "memory" not in self.paths:
            return 0
        with contextlib.suppress(OSError):
            for line in (self.paths["memory"] / file).read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == key:
                    return int(value)
        return 0


def find_control_groups() -> ControlGroups | None:
    """Try for real which controllers we may use; None when there are none."""
    for version, candidates in ((2, _candidates_v2()), (1, _candidates_v1())):
        for parents in candidates:
            usable = {
                controller: parent for controller, parent in parents.items() if _works(version, controller, parent)
            }
            if "pids" in usable or "memory" in usable:
                groups = ControlGroups(version, usable)
                groups.remove_abandoned()
                return groups
    return None


def _candidates_v2() -> Iterator[dict[str, Path]]:
    """Our own group, its parent (a service whose processes sit in a sub-group), and the top for root.

    A group that holds processes cannot hand controllers to sub-groups; moving other processes out of it to make that
    work was rejected: they are not ours.
    """
    for mount in _mounts("cgroup2"):
        own = mount / _own_groups().get("", "/").lstrip("/")
        for parent in dict.fromkeys((own, own.parent if own != mount else own, mount)):
            _hand_down_controllers(parent)
            yield dict.fromkeys(CONTROLLERS, parent)


def _candidates_v1() -> Iterator[dict[str, Path]]:
    """Our own group of each controller; in a container its path may not exist, then the top of what is mounted."""
    mounts = {option: mount for mount, options in _mounts("cgroup").items() for option in options}
    own = _own_groups()
    parents = {}
    for controller in CONTROLLERS:
        if controller in mounts:
            inside = mounts[controller] / own.get(controller, "/").lstrip("/")
            parents[controller] = inside if inside.is_dir() else mounts[controller]
    if parents:
        yield parents


def _hand_down_controllers(parent: Path) -> None:
    for controller in CONTROLLERS:
        with contextlib.suppress(OSError):
            (parent / "cgroup.subtree_control").write_text(f"+{controller}")


def _mounts(kind: str) -> dict[Path, list[str]]:
    """Mount points of a cgroup file system with their options."""
    found = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, file_system, options, *_ = line.split()
        if file_system == kind:
            found[Path(point)] = options.split(",")
    return found


def _own_groups() -> dict[str, str]:
    """The path of our own group by controller; v2 has the empty name."""
    groups = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _works(version: int, controller: str, parent: Path) -> bool:
    """Make a group, limit it and move a process into it: permissions alone do not tell."""
    limits = Limits(seconds=1, cpus=1, memory_bytes=64 << 20, processes=16)
    try:
        group = ControlGroups(version, {controller: parent}).make()
    except SandboxFailed:
        return False
    try:
        group.limit(limits)
        return _can_hold_a_process(group)
    except OSError:
        return False
    finally:
        group.remove()


def _can_hold_a_process(group: ControlGroup) -> bool:
    with subprocess.Popen(["/bin/sh", "-c", "read -r _"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        group.add(child.pid)
        held = child.pid in group.pids()
        child.communicate(b"\n")
    return held


def _removed(directory: Path) -> bool:
    try:
        directory.rmdir()
    except OSError:
        return False
    return True
