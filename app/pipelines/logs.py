"""Reading logs: rows say which chunks there are, the store has the bytes, and no session is open while it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.kernel.db import Database
from app.kernel.errors import NotFound
from app.kernel.store import BlobStore
from app.pipelines.log_format import LogLine, lines_of
from app.pipelines.models import SUCCEEDED, Execution, LogChunk, Stage, Step

# A slow step leaves a small chunk for each fifth of a second in which it wrote.
CHUNKS_AT_ONCE = 128
BYTES_AT_ONCE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines of one attempt, `newest` being the last there is; `ended` when that attempt will have no more."""

    lines: list[LogLine]
    attempt: int
    newest: int
    ended: bool
    status: str


@dataclass(frozen=True, slots=True)
class _Extract:
    chunks: list[LogChunk]
    more: bool
    attempt: int
    newest: int
    over: bool
    status: str


class LogReader:
    """Reads the log of a step; holds no state, may be shared by threads."""

    def __init__(self, database: Database, store: BlobStore) -> None:
        self._database = database
        self._store = store

    def read(self, step_id: UUID, attempt: int | None, after_seq: int, limit: int) -> LogPage:
        """Return up to `limit` lines after `after_seq` of an attempt, the newest by default.

        Fewer come when they would be more than a reply should carry.
        """
        with self._database.transaction() as session:
            extract = _extract(session, step_id, attempt, after_seq)
        # One line more than asked for tells whether there are more; no chunk beyond it is read.
        following = (line for chunk in extract.chunks for line in self._lines(chunk) if line.seq > after_seq)
        lines = list(islice(following, limit + 1))
        whole = len(lines) <= limit and not extract.more
        return LogPage(lines[:limit], extract.attempt, extract.newest, whole and extract.over, extract.status)

    def read_tail(self, step_id: UUID, attempt: int | None, count: int) -> LogPage:
        """Return the last `count` lines there are now."""
        with self._database.transaction() as session:
            number = attempt or session.get_one(Step, step_id).attempt
            last = session.execute(
                select(func.max(LogChunk.last_seq)).where(LogChunk.step_id == step_id, LogChunk.attempt == number)
            ).scalar()
        lines: list[LogLine] = []
        page = self.read(step_id, number, max((last or 0) - count, 0), count)
        while page.lines and len(lines) < count:
            lines += page.lines
            page = self.read(step_id, number, lines[-1].seq, count)
        return LogPage(lines[-count:], page.attempt, page.newest, page.ended, page.status)

    def stream_chunks(self, step_id: UUID, attempt: int | None) -> Iterator[bytes]:
        """Yield the stored chunks of an attempt, one after the other."""
        after = 0
        while True:
            with self._database.transaction() as session:
                extract = _extract(session, step_id, attempt, after)
            for chunk in extract.chunks:
                yield self._store.read(chunk.key)
                after = chunk.last_seq
            if not extract.chunks:
                return

    def _lines(self, chunk: LogChunk) -> Iterator[LogLine]:
        return lines_of(self._store.read(chunk.key))


@dataclass(frozen=True, slots=True)
class FollowedLines:
    """What a follower of a log is given: lines ready for the wire, of one attempt."""

    lines: list[dict[str, Any]]
    attempt: int
    ended: bool


class LogFollower:
    """Reads on, from attempt to attempt: a step that is run again goes on in the same stream."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader

    def read(self, step_id: UUID, after: tuple[int, int], limit: int) -> FollowedLines:
        """Return lines after `(attempt, seq)`; a fresh start, `(0, 0)`, begins with the newest attempt."""
        attempt, seq = after
        page = self._reader.read(step_id, attempt or None, seq, limit)
        while not page.lines and 0 < page.attempt < page.newest:
            page = self._reader.read(step_id, page.attempt + 1, 0, limit)
        ended = page.ended and page.attempt == page.newest
        return FollowedLines([line.as_json() for line in page.lines], page.attempt, ended)


def _extract(session: Session, step_id: UUID, attempt: int | None, after_seq: int) -> _Extract:
    # The step's status is read first: a chunk that is written after is of a step that had not ended.
    step = session.get_one(Step, step_id)
    number = attempt or step.attempt
    over = number < step.attempt or _is_over(step, session.get_one(Stage, step.stage_id))
    found = session.scalars(
        select(LogChunk)
        .where(LogChunk.step_id == step_id, LogChunk.attempt == number, LogChunk.last_seq > after_seq)
        .order_by(LogChunk.first_seq)
        .limit(CHUNKS_AT_ONCE)
    ).all()
    sizes = accumulate(chunk.size for chunk in found)
    chunks = [chunk for chunk, size in zip(found, sizes, strict=True) if size - chunk.size < BYTES_AT_ONCE]
    more = len(chunks) < len(found) or len(found) == CHUNKS_AT_ONCE
    return _Extract(chunks, more, number, step.attempt, over, step.status)


def _is_over(step: Step, stage: Stage) -> bool:
    """Tell whether a step will not run again by itself: one that failed, or was skipped after that, may while its stage
    has retries left."""
    done = step.status == SUCCEEDED or stage.retries_left == 0 or stage.is_final
    return step.is_final and done


def find_step(session: Session, execution: Execution, stage_name: str, step_name: str) -> Step:
    """Return a step by its stage's and its own name; raises NotFound."""
    step = session.execute(
        select(Step)
        .join(Stage, Stage.id == Step.stage_id)
        .where(Stage.execution_id == execution.id, Stage.name == stage_name, Step.name == step_name)
    ).scalar_one_or_none()
    if step is None:
        raise NotFound(
            f"This execution has no step {step_name!r} in a stage {stage_name!r}.",
            resource_type="step",
            resource_id=f"{stage_name}/{step_name}",
        )
    return step
