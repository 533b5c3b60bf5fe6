"""The workspace in a pod: a copy, brought before the first step and taken back when it is needed here again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO, Final

from tasks.clusters.gateways.kubernetes import Cluster, Execution
from tasks.pipelines.gateways.containers.base import ContainerRefused
from tasks.pipelines.gateways.containers.kubernetes.archive import WorkspaceRefused, pack, unpack
from tasks.pipelines.gateways.containers.kubernetes.place import HELPER, WORKSPACE, Pod

_PIECE: Final = 256 * 1024
_LOOK_SECONDS: Final = 0.25
_MOST_SAID: Final = 2000
_OVERHEAD: Final = 64 * 1024 * 1024

_EMPTY: Final = f"cd {WORKSPACE} && rm -rf ./* ./.[!.]* ./..?* && "
_BRING: Final = ("/bin/sh", "-c", _EMPTY + f'head -c "$1" | tar -xpf - -C {WORKSPACE}', "bring")
# What its owner has closed to itself could not be read.
_OPEN: Final = (
    "find . -type d ! -perm -500 -exec chmod u+rx {} \\; && find . -type f ! -perm -400 -exec chmod u+r {} \\;"
)
_TAKE: Final = ("/bin/sh", "-c", f"cd {WORKSPACE} && {_OPEN} && exec tar -cf - .")


@dataclass(slots=True)
class Files:
    """The copy of one stage. `most_bytes` is what may come back."""

    pod: Pod
    workspace: Path
    most_bytes: int
    _lock: Lock = field(default_factory=Lock)
    _is_there: bool = False
    _is_changed: bool = False

    def bring(self, cluster: Cluster, check: Callable[[], None]) -> None:
        """See to it that the pod has the workspace, and know that it is about to change there; of steps that run at
        once one brings it, and the others wait."""
        while not self._lock.acquire(timeout=_LOOK_SECONDS):
            check()
        try:
            if not self._is_there:
                self._bring(cluster, check)
                self._is_there = True
            self._is_changed = True
        finally:
            self._lock.release()

    def send_again(self) -> None:
        """Say that the workspace here has changed."""
        self._is_there = False

    def take_back(self, cluster: Cluster, check: Callable[[], None]) -> None:
        """Make the workspace here what it is there, if it has changed there."""
        with self._lock:
            if not self._is_changed:
                return
            with tempfile.TemporaryFile(dir=self.workspace.parent) as archive:
                self._take(cluster, archive)
                archive.seek(0)
                unpack(archive, self.workspace, most_bytes=self.most_bytes, check=check)
            if os.geteuid() == 0:
                # Its top tells a sandbox whose the rest is.
                os.chown(self.workspace, 0, 0)
            self._is_changed = False

    def _bring(self, cluster: Cluster, check: Callable[[], None]) -> None:
        with tempfile.TemporaryFile(dir=self.workspace.parent) as archive:
            size = pack(self.workspace, archive, check)
            archive.seek(0)
            with self._run(cluster, *_BRING, str(size)) as execution:
                while piece := archive.read(_PIECE):
                    execution.send(piece)
                for _ in _finish(execution, "The workspace could not be brought to its pod"):
                    check()

    def _take(self, cluster: Cluster, into: IO[bytes]) -> None:
        size = 0
        with self._run(cluster, *_TAKE) as execution:
            for data in _finish(execution, "The workspace could not be taken from its pod"):
                size += len(data)
                if size > self.most_bytes + _OVERHEAD:
                    raise WorkspaceRefused("The workspace has become larger than it may be.")
                into.write(data)

    def _run(self, cluster: Cluster, *command: str) -> AbstractContextManager[Execution]:
        return cluster.execute(self.pod.name, self.pod.namespace, command, container=HELPER)


def _finish(execution: Execution, fault: str) -> Iterator[bytes]:
    """Yield what a command writes until it has ended; raises ContainerRefused with its last words."""
    said = b""
    while execution.ended is None:
        for channel, data in execution.read(_LOOK_SECONDS):
            if channel == "stdout":
                yield data
            else:
                said = (said + data)[-_MOST_SAID:]
        yield b""
    if execution.ended.exit_code != 0:
        words = said.decode(errors="replace").strip().splitlines()[-1:] or [execution.ended.reason]
        raise ContainerRefused(f"{fault}: {words[0][:500]}")
