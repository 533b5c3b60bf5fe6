"""The first process of a step's container: it starts the script, listens to the worker, and says what was used.

Plain sh, for the image is anybody's. The worker speaks by the container's standard input: the name of a signal goes to
all processes; when it ends, because the worker closed it or died, all are killed. That a step can kill the listener
harms only itself: the engine still kills the whole container.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tasks.pipelines.gateways.sandbox.scratch import Scratch

CONTROL: Final = "/headrace"
STEP_HOME: Final = "/home/step"

# In order: the listener; where there is a limit of memory, one who looks whether the kernel has killed for it, because
# a script that forgives a dead child would go on; the script; a second for what still writes to the step's output, such
# as the tee of `exec > >(tee log)`; and what the control group has counted, of version 2 or 1.
ENTRY: Final = r"""
trap : HUP INT TERM
exec 9<&0 </dev/null
control=$0
(
    while read -r signal <&9; do kill -s "$signal" -- -1; done
    kill -s KILL -- -1
) >/dev/null 2>&1 &

group=/sys/fs/cgroup
events=
for file in $group/memory.events $group/memory/memory.oom_control; do
    [ -r $file ] && events=$file
done
count_kills() {
    kills=0
    [ -n "$events" ] || return 0
    while read -r key value; do
        [ "$key" = oom_kill ] && kills=$value
    done <$events
    return 0
}
if [ "$1" = limited ] && [ -n "$events" ]; then
    (
        while sleep 1; do
            count_kills
            [ "$kills" = 0 ] || kill -s KILL -- -1
        done
    ) 9<&- >/dev/null 2>&1 &
fi

printf s >>$control/status
if command -v bash >/dev/null 2>&1; then
    bash -eo pipefail $control/script 9<&-
else
    sh -e $control/script 9<&-
fi
code=$?
printf e >>$control/status

is_written_to() {
    for process in /proc/[0-9]*; do
        [ $process = /proc/1 ] && continue
        for stream in 1 2; do
            [ $process/fd/$stream -ef /proc/1/fd/1 ] && return 0
            [ $process/fd/$stream -ef /proc/1/fd/2 ] && return 0
        done
    done
    return 1
}
left=10
while [ $left -gt 0 ] && is_written_to; do
    sleep 0.1 || sleep 1
    left=$((left - 1))
done

peak=0
used=0
for file in $group/memory.peak $group/memory/memory.max_usage_in_bytes; do
    [ -r $file ] && read -r peak <$file
done
for file in $group/cpuacct/cpuacct.usage $group/cpu,cpuacct/cpuacct.usage; do
    [ -r $file ] && read -r used <$file && used=$((used / 1000))
done
if [ -r $group/cpu.stat ]; then
    while read -r key value; do
        [ "$key" = usage_usec ] && used=$value
    done <$group/cpu.stat
fi
count_kills
printf '%s %s %s\n' "$peak" "$used" "$kills" >$control/usage
exit $code
"""


@dataclass(frozen=True, slots=True)
class Used:
    """What a step used, as far as its container told; `kills` counts processes killed for want of memory."""

    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None
    kills: int = 0


def read_used(scratch: Scratch) -> Used:
    """Return what the first process wrote at its end; a step may tamper with it, which harms only itself."""
    try:
        peak, microseconds, kills = (int(word) for word in _read_own(scratch.control / "usage").split())
    except (OSError, ValueError):
        return Used()
    return Used(peak or None, microseconds / 1e6 if microseconds else None, kills)


def _read_own(path: Path) -> bytes:
    """The beginning of a plain file: in its place the step may have put a link, or a pipe that nobody writes to."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a file")
        return os.read(descriptor, 200)
    finally:
        os.close(descriptor)
