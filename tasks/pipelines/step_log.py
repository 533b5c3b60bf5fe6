"""The log of one attempt of a step: captured, stored in chunks, shown at once.

While what records it is away the chunks wait here, and past sixteen megabytes the step waits with them.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from types import TracebackType
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from app.jobs import Stoppable
from app.kernel.clock import utc_now
from app.kernel.errors import Transient
from app.pipelines import LogStream
from tasks.patience import patiently
from tasks.pipelines.capture import CHUNK_BYTES, Capture, Chunk
from tasks.pipelines.masking import Masker
from tasks.pipelines.recorder import Recorder

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.2
RETRY_SECONDS = 1.0
MOST_WAITING_BYTES = 16 * 1024 * 1024


class StepLog:
    """Takes a step's output; leaving the block writes what is left."""

    def __init__(self, run: Stoppable, recorder: Recorder, masker: Masker, step_id: UUID, attempt: int) -> None:
        self._run = run
        self._recorder = recorder
        self._step_id = step_id
        self._attempt = attempt
        self._capture = Capture(masker, utc_now)
        self._waiting: deque[Chunk] = deque()
        self._flushed_at = time.monotonic()
        self._retry_at = 0.0

    def __enter__(self) -> StepLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.close()
        self._queue_chunk()
        if not self._run.lease_lost.is_set():
            patiently(self._run, self._write_waiting)

    def write(self, stream: LogStream, data: bytes) -> None:
        """Take raw output of the step."""
        self._capture.feed(stream, data)
        if self._capture.waiting_bytes >= CHUNK_BYTES:
            self._flush()

    def hear(self, stream: LogStream, data: bytes) -> None:
        """Take what a sandbox passes on: raw output of the step, or lines of its own."""
        if stream != "system":
            self.write(stream, data)
            return
        for line in data.decode(errors="replace").splitlines():
            self.say(line)

    def say(self, message: str) -> None:
        """Add a line of the platform's own."""
        self._capture.say(message)

    def flush_if_due(self) -> None:
        """Store what has come, five times a second at most."""
        if time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self._flush()

    def _flush(self) -> None:
        self._flushed_at = time.monotonic()
        self._queue_chunk()
        if sum(len(chunk.data) for chunk in self._waiting) > MOST_WAITING_BYTES:
            patiently(self._run, self._write_waiting)
        elif self._flushed_at >= self._retry_at:
            self._try_to_write()

    def _queue_chunk(self) -> None:
        chunk = self._capture.take_chunk()
        if chunk is not None:
            self._waiting.append(chunk)

    def _try_to_write(self) -> None:
        try:
            self._write_waiting()
        except (SQLAlchemyError, Transient) as error:
            log.warning("a log waits to be stored", extra={"step_id": self._step_id, "error": type(error).__name__})
            self._retry_at = time.monotonic() + RETRY_SECONDS

    def _write_waiting(self) -> None:
        while self._waiting:
            self._recorder.add_log(self._step_id, self._attempt, self._waiting[0])
            self._waiting.popleft()
