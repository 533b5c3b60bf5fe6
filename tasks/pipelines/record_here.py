"""A worker's recorder: rows in transactions that prove the lease, bytes in the stores beside them.

A chunk's bytes are stored first and its row is written after, so no reader meets a row without bytes; then those who
follow the log are woken.
"""

from __future__ import annotations

import logging
import mimetypes
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from app.jobs import Run
from app.kernel.clock import format_time, utc_now
from app.kernel.ids import new_id
from app.kernel.store import StoreAway
from app.kernel.stream import Delivered
from app.pipelines import (
    Briefing,
    StepEnd,
    add_log_chunk,
    find_cache,
    finish_step,
    has_cache,
    keep_cache,
    log_key,
    log_topic,
    record_report,
    replace_artifacts,
    start_step,
)
from tasks.patience import patiently
from tasks.pipelines.capture import Chunk
from tasks.pipelines.recorder import FoundCache, KeptFile
from tasks.tools import Tools

log = logging.getLogger(__name__)

UNKNOWN = "application/octet-stream"


class RecordHere:
    """Records for the attempt of a stage that `run` is."""

    def __init__(self, run: Run, tools: Tools, briefing: Briefing) -> None:
        self._run = run
        self._tools = tools
        self._briefing = briefing

    def progress(self, *, phase: str, message: str) -> None:
        """Report to whoever follows the job."""
        self._run.progress(phase=phase, message=message)

    def start_step(self, step_id: UUID) -> int:
        """Move the step to running."""
        with self._run.recording() as (session, job):
            return start_step(session, job, step_id)

    def finish_step(self, step_id: UUID, ended: StepEnd, *, again: bool) -> None:
        """Move the step to its end, or back to queued."""
        with self._run.recording() as (session, job):
            finish_step(session, job, step_id, ended, again=again)

    def add_log(self, step_id: UUID, attempt: int, chunk: Chunk) -> None:
        """Store the bytes, write the row, wake those who follow."""
        key = log_key(step_id, attempt, chunk.first_seq)
        self._tools.log_store.put(key, chunk.data)
        with self._run.adding() as session:
            add_log_chunk(
                session,
                step_id,
                attempt,
                first_seq=chunk.first_seq,
                last_seq=chunk.last_seq,
                size=len(chunk.data),
                key=key,
            )
        self._wake_followers(step_id, attempt, chunk.last_seq)

    def _wake_followers(self, step_id: UUID, attempt: int, last_seq: int) -> None:
        woken = Delivered(log_topic(step_id), last_seq, "log", format_time(utc_now()), {"attempt": attempt})
        try:
            self._tools.live.send([woken])
        except Exception:  # noqa: BLE001 - those who follow find the rows by themselves
            log.debug("Redis is away; followers of a log are not woken")

    def open(self, key: str, /) -> AbstractContextManager[BinaryIO]:
        """Open an artifact in the store."""
        return self._tools.artifact_store.open(key)

    def keep_file(self, kept: KeptFile) -> dict[str, Any]:
        """Store the file and return its row."""
        key = f"{self._briefing.execution_id}/{new_id()}"
        stored = self._tools.artifact_store.put_file(key, kept.source)
        return {
            "name": kept.name,
            "path": kept.path,
            "size": stored.size,
            "sha256": stored.sha256,
            "content_type": mimetypes.guess_type(kept.path)[0] or UNKNOWN,
            "key": key,
            "retention_seconds": self._briefing.planned.artifacts[kept.artifact].retention,
        }

    def replace_artifacts(self, kept: Sequence[dict[str, Any]]) -> None:
        """Write the rows, and delete what nobody can reach any more; what a store that is away keeps is only room."""
        for key in patiently(self._run, lambda: self._replace(kept)):
            with suppress(StoreAway):
                self._tools.artifact_store.delete(key)

    def _replace(self, kept: Sequence[dict[str, Any]]) -> list[str]:
        with self._run.recording() as (session, _):
            return replace_artifacts(session, self._briefing, kept)

    def record_report(self, cases: list[dict[str, Any]], faults: list[dict[str, str]]) -> None:
        """Write the report in the place of what this attempt reported before."""
        with self._run.recording() as (session, _):
            record_report(session, self._briefing, cases, faults)

    def find_cache(self, key: str, prefixes: Sequence[str]) -> FoundCache | None:
        """Look among the rows, and note the use."""
        with self._run.recording() as (session, _):
            found = find_cache(session, self._briefing, key, prefixes)
            return FoundCache(found.key, found.scope, found.blob, found.size, found.sha256) if found else None

    def open_cache(self, found: FoundCache) -> AbstractContextManager[BinaryIO]:
        """Open the archive in the store."""
        return self._tools.artifact_store.open(found.blob)

    def has_cache(self, key: str) -> bool:
        """Look among the rows of the run's own scope."""
        with self._run.reading() as session:
            return has_cache(session, self._briefing, key)

    def keep_cache(self, key: str, archive: Path, files: int) -> bool:
        """Store the archive, then its row; without a row the bytes go again."""
        blob = f"caches/{self._briefing.workspace_id}/{new_id()}"
        stored = self._tools.artifact_store.put_file(blob, archive)
        values = {"key": key, "blob": blob, "size": stored.size, "sha256": stored.sha256, "files": files}
        if patiently(self._run, lambda: self._keep(values)):
            return True
        self._tools.artifact_store.delete(blob)
        return False

    def _keep(self, values: dict[str, Any]) -> bool:
        with self._run.recording() as (session, _):
            return keep_cache(session, self._briefing, **values)
