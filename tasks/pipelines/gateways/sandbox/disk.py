"""Watching how much disk a step uses, without a quota in the file system: those need root and a prepared disk."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tasks.pipelines.gateways.sandbox.processes import unlinked_bytes

_FIRST_SECONDS = 0.5
_LEAST_SECONDS = 2.0
_REST_FACTOR = 10  # of the time a measurement takes: at most a tenth of a core goes into measuring
_READ_BYTES = 1 << 20


class DiskWatch:
    """Measures some directories now and then with `du`, and at once when their file system fills fast.

    `du` reads trees of any depth and size in C, in a process of its own: a walk in Python would hold up the output of
    the step and can be broken by nesting deeper than the recursion limit. When `du` is denied a directory, the growth
    of the file system counts instead; that may blame a step for its neighbours, but only one that hides its files.
    """

    def __init__(self, directories: Sequence[Path], limit: int, list_pids: Callable[[], list[int]]) -> None:
        self._directories = directories
        self._limit = limit
        self._list_pids = list_pids
        self._device = os.stat(directories[0]).st_dev
        self._start_used = self._last_used = self._file_system_used()
        self._remaining = limit // 4
        self._next_at = time.monotonic() + _FIRST_SECONDS
        self._measurement: _Measurement | None = None

    def is_over(self) -> bool:
        """Whether more than the limit is in use, as far as is known now. Never waits."""
        if self._measurement is None:
            self._measure_when_due()
            return False
        if not self._measurement.is_done():
            return False
        return self._judge(self._measurement)

    def close(self) -> None:
        """End a measurement that still runs."""
        if self._measurement is not None:
            self._measurement.close()
            self._measurement = None

    def _measure_when_due(self) -> None:
        used = self._file_system_used()
        if time.monotonic() >= self._next_at or used - self._last_used >= self._remaining:
            self._last_used = used
            self._measurement = _Measurement(self._directories)

    def _judge(self, measurement: _Measurement) -> bool:
        grown = self._file_system_used() - self._start_used
        used = measurement.used_bytes()
        if measurement.was_denied():
            used = max(used, grown)
        if grown > self._limit:
            used += unlinked_bytes(self._list_pids(), self._device)
        self._next_at = time.monotonic() + max(_LEAST_SECONDS, _REST_FACTOR * measurement.age())
        self._remaining = max(self._limit - used, self._limit // 100)
        self.close()
        return used > self._limit

    def _file_system_used(self) -> int:
        usage = os.statvfs(self._directories[0])
        return (usage.f_blocks - usage.f_bfree) * usage.f_frsize


class _Measurement:
    """One run of `du`; its output goes to files, as a pipe nobody reads would stop it."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._began = time.monotonic()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - both live as long as the run, until close
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._du = subprocess.Popen(
            ["du", "-sxc", "-B1", "--", *map(str, directories)],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._errors,
            env={"LC_ALL": "C", "PATH": os.defpath},
        )

    def is_done(self) -> bool:
        return self._du.poll() is not None

    def age(self) -> float:
        return time.monotonic() - self._began

    def used_bytes(self) -> int:
        self._output.seek(0)
        total = self._output.read().rstrip().rpartition(b"\n")[2].partition(b"\t")[0]
        return int(total) if total.isdigit() else 0

    def was_denied(self) -> bool:
        """Files that vanish meanwhile are errors to `du` as well, but harmless."""
        self._errors.seek(0)
        return b"Permission denied" in self._errors.read(_READ_BYTES)

    def close(self) -> None:
        if self._du.poll() is None:
            self._du.kill()
        self._du.wait()
        self._output.close()
        self._errors.close()
