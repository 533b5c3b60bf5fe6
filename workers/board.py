"""The board: memory shared by a worker and its pool processes, on which each of them shows what it is running."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from app.jobs import Claim

SLOTS = 256
_SLOT = struct.Struct("<I16sI")


@dataclass(frozen=True, slots=True)
class Shown:
    """An attempt and the process that runs it."""

    pid: int
    job_id: UUID
    attempt: int


class Board:
    """Make it before the pool processes are forked. One that has no slot shows nothing."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SLOTS * _SLOT.size)
        self._start: int | None = None

    def take(self, slot: int) -> None:
        """Make a slot this process's own, and wipe what a dead one has left in it."""
        self._start = slot * _SLOT.size if slot < SLOTS else None
        self._write(b"\0" * _SLOT.size)

    @contextmanager
    def showing(self, claim: Claim) -> Iterator[None]:
        """Show an attempt while the block runs."""
        self._write(_SLOT.pack(os.getpid(), claim.job_id.bytes, claim.attempt))
        try:
            yield
        finally:
            self._write(b"\0" * _SLOT.size)

    def shown(self) -> list[Shown]:
        """Return what all processes show; what is just being written may be wrong, and is right at the next look."""
        slots = (_SLOT.unpack_from(self._memory, place * _SLOT.size) for place in range(SLOTS))
        return [Shown(pid, UUID(bytes=job_id), attempt) for pid, job_id, attempt in slots if pid]

    def _write(self, content: bytes) -> None:
        if self._start is not None:
            self._memory[self._start : self._start + _SLOT.size] = content
