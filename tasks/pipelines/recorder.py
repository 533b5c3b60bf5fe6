"""Where one attempt of a stage is written down while it runs, and where its files are kept and found: the database and
the stores for a worker (record_here.py), the API for a runner elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from uuid import UUID

from app.pipelines import StepEnd
from tasks.pipelines.capture import Chunk


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that a stage keeps: at `path` in its checkout, shown as `name`, asked for by one of its `artifacts`, which
    are counted from 0. `source` is where its bytes are."""

    source: Path
    size: int
    name: str
    path: str
    artifact: int


@dataclass(frozen=True, slots=True)
class FoundCache:
    """An archive that was kept: its size in bytes, and its SHA-256 in hexadecimal."""

    key: str
    scope: str
    blob: str
    size: int
    sha256: str


class Recorder(Protocol):
    """All raise LeaseLost once the attempt is not this one's any more, and SQLAlchemyError or Transient for what
    passes: whoever can wait tries again."""

    def progress(self, *, phase: str, message: str) -> None:
        """Tell how far this is; what cannot be told now is dropped. Raises as `Stoppable.check` does."""
        ...

    def start_step(self, step_id: UUID) -> int:
        """Record that a step begins, and return the number of its attempt."""
        ...

    def finish_step(self, step_id: UUID, ended: StepEnd, *, again: bool) -> None:
        """Record how a step ended, and whether it is to be run again."""
        ...

    def add_log(self, step_id: UUID, attempt: int, chunk: Chunk) -> None:
        """Let some lines be read; doing it twice is harmless."""
        ...

    def open(self, key: str, /) -> AbstractContextManager[BinaryIO]:
        """Open an artifact that the stage needs."""
        ...

    def keep_file(self, kept: KeptFile) -> Any:
        """Store a file, and return what names it to `replace_artifacts`."""
        ...

    def replace_artifacts(self, kept: Sequence[Any]) -> None:
        """Let stored files be seen, in the place of what earlier attempts kept."""
        ...

    def record_report(self, cases: list[dict[str, Any]], faults: list[dict[str, str]]) -> None:
        """Record the tests that the stage's reports tell of."""
        ...

    def find_cache(self, key: str, prefixes: Sequence[str]) -> FoundCache | None:
        """Return the cache of that key, else the newest of the first prefix that has any."""
        ...

    def open_cache(self, found: FoundCache) -> AbstractContextManager[BinaryIO]:
        """Open a cache's archive."""
        ...

    def has_cache(self, key: str) -> bool:
        """Tell whether there is that key already, which is then not written again."""
        ...

    def keep_cache(self, key: str, archive: Path, files: int) -> bool:
        """Store an archive; False when another run was first."""
        ...
