"""The caches of a stage: brought before its steps, kept after them. A cache that fails costs time and nothing else."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from app.kernel.errors import Permanent, Transient
from app.kernel.store import BLOCK
from app.kernel.tracing import span
from app.pipelines.definition import Cache, expand, expand_key
from tasks.patience import patiently
from tasks.pipelines.artifacts import collect
from tasks.pipelines.cache_archive import CacheRefused, pack, unpack
from tasks.pipelines.recorder import FoundCache
from tasks.pipelines.stage_work import StageWork
from tasks.pipelines.workplace import Workplace

log = logging.getLogger(__name__)

MEBIBYTE = 1024 * 1024
FAULTS = (CacheRefused, Transient, Permanent, OSError)


@dataclass(slots=True)
class StageCaches:
    """The caches of one attempt. Keys are worked out after the checkout, and hold until the stage ends."""

    work: StageWork
    place: Workplace
    keys: dict[int, str] = field(default_factory=dict)

    @property
    def wanted(self) -> tuple[Cache, ...]:
        """What the stage asks for."""
        return self.work.briefing.planned.cache or ()

    def restore(self) -> list[str]:
        """Bring what there is and return what there is to say of it, a line for each cache."""
        return [self._say(number, cache) for number, cache in enumerate(self.wanted)]

    def save(self) -> int:
        """Keep what is not kept yet and return how many were."""
        return sum(self._try_to_save(number, cache) for number, cache in enumerate(self.wanted))

    def _say(self, number: int, cache: Cache) -> str:
        shown = cache.key
        try:
            shown = self.keys[number] = self._expand(cache.key)
            return f"Cache {shown}: {'kept at the end only' if cache.policy == 'push' else self._bring(cache, shown)}"
        except FAULTS as error:
            return f"Cache {shown}: not restored: {_reason(error)}."

    def _bring(self, cache: Cache, key: str) -> str:
        prefixes = [one for one in map(self._expand, cache.restore_keys) if one]
        found = patiently(self.work.run, partial(self.work.recorder.find_cache, key, prefixes))
        if found is None:
            return "miss"
        with span("restore cache", size=found.size), self._temporary() as file:
            self._download(found, Path(file.name))
            most = self.work.bench.caches.each_bytes
            brought = unpack(Path(file.name), self.place.root, most_bytes=most, check=self.work.run.check)
        what = "hit" if found.key == key else f"restored from {found.key}"
        return f"{what} ({found.scope}), {brought.files:,} files, {brought.bytes / MEBIBYTE:,.1f} MiB"

    def _temporary(self) -> IO[bytes]:
        return tempfile.NamedTemporaryFile(dir=self.work.bench.workspaces)

    def _download(self, found: FoundCache, into: Path) -> None:
        digest, size = hashlib.sha256(), 0
        with self.work.recorder.open_cache(found) as source, into.open("wb") as target:
            while block := source.read(BLOCK):
                self.work.run.check()
                digest.update(block)
                size += len(block)
                if size > found.size:
                    break
                target.write(block)
        if size != found.size or digest.hexdigest() != found.sha256:
            raise CacheRefused("what the store gives is not what was kept")

    def _try_to_save(self, number: int, cache: Cache) -> bool:
        if cache.policy == "pull" or not self.keys.get(number):
            return False
        try:
            return self._save(cache, self.keys[number])
        except FAULTS as error:
            told = {"stage_id": self.work.briefing.stage_id, "reason": _reason(error)}
            log.warning("a cache was not kept", extra=told)
            return False

    def _save(self, cache: Cache, key: str) -> bool:
        if patiently(self.work.run, partial(self.work.recorder.has_cache, key)):
            return False
        globs = [expand(path, self.work.variables) for path in cache.paths]
        with span("save cache"), self._temporary() as file:
            most = self.work.bench.caches.each_bytes
            packed = pack(self.place.root, globs, file, most_bytes=most, check=self.work.run.check)
            file.flush()
            return packed.files > 0 and self.work.recorder.keep_cache(key, Path(file.name), packed.files)

    def _expand(self, text: str) -> str:
        return expand_key(text, self.work.variables, self._hash)

    def _hash(self, globs: Sequence[str]) -> str:
        return hash_files(self.place.root, globs, self.work.bench.caches.each_bytes, self.work.run.check)


def hash_files(root: Path, globs: Sequence[str], most_bytes: int, check: Callable[[], None]) -> str:
    """Return the SHA-256 of the names and contents of the files that match, in hexadecimal; nothing when none does."""
    found = collect(root, globs, max_bytes=most_bytes)
    whole = hashlib.sha256()
    for one in found:
        check()
        with one.path.open("rb") as source:
            content = hashlib.file_digest(source, "sha256").hexdigest()
        whole.update(f"{content} {one.name}\n".encode())
    return whole.hexdigest() if found else ""


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(getattr(error, "message", error)).rstrip(".")
