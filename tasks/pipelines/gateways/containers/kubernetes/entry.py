"""What is run in a container for each step: plain sh, for the image is anybody's.

What the step is given comes by the standard input, since a command line can be read by everybody on a node: what it is
told by, its limits, its folder, its environment and its script. Then the name of a signal goes to all processes; at the
end of the input, because the worker closed it or died, all are killed. What is to be said of the step goes to the
standard error behind a mark that only this run has; a step that tampers with it harms only itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tasks.pipelines.gateways.containers.kubernetes.place import CONTROL, OWN, WORKSPACE
from tasks.pipelines.gateways.sandbox import Limits

ENTRY_VARIABLE: Final = "HEADRACE_ENTRY"
RUN: Final = ("/bin/sh", "-c", f'eval "${ENTRY_VARIABLE}"', "headrace")
"""What runs the entry, which containers have in a variable: a command is part of an address, and proxies cut those."""
IDLE: Final = ("/bin/sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done")
"""A container's first process: it waits, takes care of orphans, and outlives every step."""

# bash would refuse to be given them, and has its own.
_OF_THE_SHELL: Final = frozenset({"BASHOPTS", "BASH_VERSINFO", "EUID", "PPID", "SHELLOPTS", "UID"})
_LONGEST_WORD: Final = 200

# In order: what it is given; the listener; one who looks whether the kernel has killed for want of memory, because a
# script that forgives a dead child would go on, and whether too much lies on the disk; the script, which finds nothing
# of this shell but its variables; a second for what still writes to the step's output; and what was used.
ENTRY: Final = (
    r"""
unset HEADRACE_ENTRY
trap : HUP INT TERM
exec 9<&0 </dev/null
umask 022
hr_own=OWN
hr_control=CONTROL
IFS= read -r hr_mark <&9
read -r hr_memory hr_blocks hr_disk <&9
read -r hr_variables hr_bytes <&9
IFS= read -r hr_directory <&9

kill -s KILL -- -1 2>/dev/null
hr_clean() {
    chmod -R u+rwX $hr_own/home $hr_own/tmp 2>/dev/null
    rm -rf $hr_own/home $hr_own/tmp $hr_control/* /tmp/* /tmp/.[!.]* /tmp/..?* /var/tmp/* /var/tmp/.[!.]* 2>/dev/null
}
hr_clean
mkdir -m 700 $hr_own/home $hr_own/tmp && umask 077 && head -c "$hr_bytes" <&9 >$hr_control/all &&
    head -c "$hr_variables" $hr_control/all >$hr_control/environment &&
    tail -c "+$((hr_variables + 1))" $hr_control/all >$hr_control/script && rm $hr_control/all || exit 125
umask 022
if cd -P -- "WORKSPACE/$hr_directory" 2>/dev/null; then hr_here=$(pwd -P); else hr_here=; fi
case $hr_here/ in
WORKSPACE/*) unset OLDPWD ;;
*)
    printf '%sd\n' "$hr_mark" >&2
    exit 125
    ;;
esac

(
    while read -r hr_signal <&9; do kill -s "$hr_signal" -- -1; done
    kill -s KILL -- -1
) >/dev/null 2>&1 &

hr_group=/sys/fs/cgroup
hr_events=
for hr_file in $hr_group/memory.events $hr_group/memory/memory.oom_control; do
    [ -r $hr_file ] && hr_events=$hr_file
done
hr_count() {
    hr_kills=0
    [ -n "$hr_events" ] || return 0
    while read -r hr_key hr_value; do
        [ "$hr_key" = oom_kill ] && hr_kills=$hr_value
    done <$hr_events
    return 0
}
hr_measure() {
    hr_peak=0
    hr_used=0
    for hr_file in $hr_group/memory.peak $hr_group/memory/memory.max_usage_in_bytes; do
        [ -r $hr_file ] && read -r hr_peak <$hr_file
    done
    for hr_file in $hr_group/cpuacct/cpuacct.usage $hr_group/cpu,cpuacct/cpuacct.usage; do
        [ -r $hr_file ] && read -r hr_used <$hr_file && hr_used=$((hr_used / 1000))
    done
    if [ -r $hr_group/cpu.stat ]; then
        while read -r hr_key hr_value; do
            [ "$hr_key" = usage_usec ] && hr_used=$hr_value
        done <$hr_group/cpu.stat
    fi
}
hr_fills() {
    hr_sum=0
    hr_began=$(date +%s)
    while read -r hr_size hr_rest; do
        hr_sum=$((hr_sum + hr_size))
    done <<END
$(du -skx WORKSPACE $hr_own /tmp /var/tmp 2>/dev/null)
END
    hr_pause=$((1 + 10 * ($(date +%s) - hr_began)))
    [ $hr_sum -gt "$hr_disk" ]
}
hr_end_all() {
    read -r hr_self hr_rest </proc/self/stat
    for hr_each in /proc/[0-9]*; do
        hr_each=${hr_each#/proc/}
        [ "$hr_each" = 1 ] || [ "$hr_each" = $$ ] || [ "$hr_each" = "$hr_self" ] || kill -s KILL "$hr_each"
    done
}
hr_count
hr_before=$hr_kills
hr_measure
hr_peak_before=$hr_peak
hr_used_before=$hr_used
(
    hr_pause=1
    while sleep 1; do
        hr_count
        [ "$hr_memory" = 0 ] || [ "$hr_kills" = "$hr_before" ] || hr_end_all
        hr_pause=$((hr_pause - 1))
        if [ "$hr_disk" != 0 ] && [ $hr_pause -le 0 ] && hr_fills; then
            : >$hr_control/full
            hr_end_all
        fi
    done
) 9<&- >/dev/null 2>&1 &

printf '%sb\n' "$hr_mark" >&2
(
    ulimit -c 0
    [ "$hr_blocks" = 0 ] || ulimit -f "$hr_blocks"
    if command -v bash >/dev/null 2>&1; then
        set -- "$(command -v bash)" -eo pipefail $hr_control/script
    else
        set -- /bin/sh -e $hr_control/script
    fi
    export HOME=$hr_own/home TMPDIR=$hr_own/tmp
    unset IFS
    . $hr_control/environment
    : >CONTROL/environment
    exec "$@"
) 9<&-
hr_code=$?
printf '%se\n' "$hr_mark" >&2

hr_is_written_to() {
    for hr_each in /proc/[0-9]*; do
        [ "$hr_each" = /proc/$$ ] && continue
        for hr_stream in 1 2; do
            [ $hr_each/fd/$hr_stream -ef /proc/$$/fd/1 ] && return 0
            [ $hr_each/fd/$hr_stream -ef /proc/$$/fd/2 ] && return 0
        done
    done
    return 1
}
hr_left=10
while [ $hr_left -gt 0 ] && hr_is_written_to; do
    sleep 0.1 2>/dev/null || sleep 1
    hr_left=$((hr_left - 1))
done
kill -s KILL -- -1 2>/dev/null
hr_count
hr_measure
[ "$hr_peak" -gt "$hr_peak_before" ] || hr_peak=0
hr_full=0
[ -e $hr_control/full ] && hr_full=1
hr_clean
printf '%su %s %s %s %s\n' "$hr_mark" "$hr_peak" $((hr_used - hr_used_before)) $((hr_kills - hr_before)) $hr_full >&2
exit $hr_code
""".replace("CONTROL", CONTROL)
    .replace("OWN", OWN)
    .replace("WORKSPACE", str(WORKSPACE))
)


def given(mark: str, directory: str, environment: Mapping[str, str], script: str, limits: Limits) -> bytes:
    """Return what the entry reads first. The directory is relative to the workspace and has no newline."""
    variables = "".join(
        f"export {name}={_quoted(value)}\n" for name, value in environment.items() if name not in _OF_THE_SHELL
    ).encode()
    text = script.encode(errors="replace")
    # A shell counts the size of files in halves of a kilobyte.
    bounds = (
        limits.memory_bytes or 0,
        (limits.file_bytes or 0) // 512 or (1 if limits.file_bytes else 0),
        (limits.disk_bytes or 0) // 1024 or (1 if limits.disk_bytes else 0),
    )
    head = f"{mark}\n{' '.join(map(str, bounds))}\n{len(variables)} {len(variables) + len(text)}\n{directory}\n"
    return head.encode() + variables + text


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


@dataclass(frozen=True, slots=True)
class Used:
    """What a step used, as far as its container told."""

    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None
    kills: int = 0
    disk_full: bool = False


class Report:
    """Takes out of the standard error what the entry says of the step: when the script `began` and `ended` on this
    process's monotonic clock, what it `used`, and whether its directory was `refused`."""

    def __init__(self, mark: str) -> None:
        self._mark = mark.encode()
        self._held = b""
        self.began: float | None = None
        self.ended: float | None = None
        self.used: Used | None = None
        self.refused = False

    def take(self, data: bytes) -> bytes:
        """Return what of the data is the step's own; the beginning of a mark is held back."""
        self._held += data
        own = bytearray()
        while (place := self._held.find(self._mark)) >= 0:
            own += self._held[:place]
            stop = self._held.find(b"\n", place)
            self._held = self._held[place:]
            if stop < 0 and len(self._held) < _LONGEST_WORD:
                return bytes(own)
            word, _, self._held = self._held[len(self._mark) :].partition(b"\n")
            self._note(word[:_LONGEST_WORD])
        kept = next((n for n in range(len(self._mark) - 1, 0, -1) if self._held.endswith(self._mark[:n])), 0)
        own += self._held[: len(self._held) - kept]
        self._held = self._held[len(self._held) - kept :]
        return bytes(own)

    def rest(self) -> bytes:
        """Return what was held back, at the end."""
        rest, self._held = self._held, b""
        return b"" if rest.startswith(self._mark) else rest

    def _note(self, word: bytes) -> None:
        kind, told = word[:1], word[1:].split()
        if kind == b"b" and self.began is None:
            self.began = time.monotonic()
        elif kind == b"e" and self.ended is None:
            self.ended = time.monotonic()
        elif kind == b"d":
            self.refused = self.began is None
        elif kind == b"u" and len(told) == 4 and all(one.isdigit() for one in told):
            peak, micros, kills, full = map(int, told)
            self.used = Used(peak or None, micros / 1e6 if micros else None, kills, bool(full))
