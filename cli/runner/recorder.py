"""A runner's recorder: all that a worker writes to the database and the stores goes to the API, under the attempt's
number."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast
from uuid import UUID

from app.jobs import LeaseLost, Stoppable
from app.kernel.errors import HeadraceError, Transient
from app.pipelines import StepEnd
from cli.runner.api import RunnerApi, TokenRefused, fresh_key, in_path
from tasks.patience import patiently
from tasks.pipelines.capture import Chunk
from tasks.pipelines.recorder import FoundCache, KeptFile

log = logging.getLogger(__name__)

Told = TypeVar("Told")


class RecordThere:
    """Records for one attempt of a stage. A refusal that says whose the attempt is ends all that is done for it."""

    def __init__(self, api: RunnerApi, run: Stoppable) -> None:
        self._api = api
        self._run = run
        self._place = f"/runner/jobs/{run.job_id}/attempts/{run.attempt}"

    def progress(self, *, phase: str, message: str) -> None:
        """Tell it with a sign of life."""
        self._run.check()
        try:
            self.beat(phase=phase, message=message)
        except Transient as error:
            log.warning("progress could not be told: %s", error.message)

    def beat(self, **said: str) -> bool:
        """Keep the attempt, and tell whether it is to be cancelled."""
        return bool(self._tell(lambda: self._api.post(f"{self._place}/heartbeat", said))["cancel"])

    def start_step(self, step_id: UUID) -> int:
        """Begin a step."""
        return int(self._once(f"steps/{step_id}/start", {})["attempt"])

    def finish_step(self, step_id: UUID, ended: StepEnd, *, again: bool) -> None:
        """End a step."""
        reason = ended.reason and ended.reason[:4000]
        self._once(f"steps/{step_id}/finish", asdict(ended) | {"again": again, "reason": reason})

    def add_log(self, step_id: UUID, attempt: int, chunk: Chunk) -> None:
        """Add lines; the platform drops those that it has."""
        path = f"{self._place}/steps/{step_id}/log"
        self._tell(lambda: self._api.send_bytes(path, chunk.data, attempt=attempt))

    @contextmanager
    def open(self, key: str, /) -> Iterator[BinaryIO]:
        """Download an artifact."""
        with self._download(f"artifacts/{in_path(key)}") as source:
            yield source

    def keep_file(self, kept: KeptFile) -> str:
        """Upload a file, and return what the platform calls it."""
        asked = {"artifact": kept.artifact, "name": kept.name, "path": kept.path}
        stored = self._patiently(lambda: self._api.upload(f"{self._place}/files", kept.source, **asked))
        return str(stored["file"])

    def replace_artifacts(self, kept: Sequence[str]) -> None:
        """Let uploaded files be seen; also none, in the place of what earlier attempts kept."""
        self._patiently(lambda: self._api.post(f"{self._place}/artifacts", {"files": list(kept)}))

    def record_report(self, cases: list[dict[str, Any]], faults: list[dict[str, str]]) -> None:
        """Send the tests."""
        body = json.dumps({"cases": cases, "faults": faults}).encode()
        self._tell(lambda: self._api.send_bytes(f"{self._place}/report", body))

    def find_cache(self, key: str, prefixes: Sequence[str]) -> FoundCache | None:
        """Ask for a cache."""
        found = self._find({"key": key, "prefixes": list(prefixes)})
        if found is None:
            return None
        return FoundCache(found["key"], found["scope"], found["id"], found["size"], found["sha256"])

    def open_cache(self, found: FoundCache) -> AbstractContextManager[BinaryIO]:
        """Download an archive."""
        return self._download(f"caches/{found.blob}")

    def has_cache(self, key: str) -> bool:
        """Ask for a cache of the run's own."""
        return self._find({"key": key, "own": True}) is not None

    def keep_cache(self, key: str, archive: Path, files: int) -> bool:
        """Upload an archive."""
        path = f"{self._place}/caches"
        return bool(self._patiently(lambda: self._api.upload(path, archive, key=key, files=files))["kept"])

    def finish(self, said: dict[str, Any]) -> None:
        """Tell how the attempt ended, as soon as the platform hears it."""
        key = fresh_key()
        self._patiently(lambda: self._api.post(f"{self._place}/finish", said, key=key))

    def _find(self, asked: dict[str, Any]) -> Any:
        return self._tell(lambda: self._api.post(f"{self._place}/caches/find", asked))["cache"]

    def _once(self, path: str, said: dict[str, Any]) -> Any:
        """Send what must have one effect, again and again until it is answered."""
        key = fresh_key()
        return self._patiently(lambda: self._api.post(f"{self._place}/{path}", said, key=key))

    def _patiently(self, ask: Callable[[], Told]) -> Told:
        return patiently(self._run, lambda: self._tell(ask))

    def _tell(self, ask: Callable[[], Told]) -> Told:
        try:
            return ask()
        except TokenRefused as error:
            self._run.lease_lost.set()
            raise LeaseLost from error
        except LeaseLost:
            self._run.lease_lost.set()
            raise

    @contextmanager
    def _download(self, path: str) -> Iterator[BinaryIO]:
        with self._api.download(f"{self._place}/{path}") as source:
            yield cast("BinaryIO", source)


def describe(error: HeadraceError) -> dict[str, Any]:
    """Return an error's code and message for the platform."""
    return {"code": error.code[:64], "message": error.message[:4000] or error.code}
