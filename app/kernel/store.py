"""The blob store: logs and artifacts at any fsspec address, `file://` by default.

Keys are relative paths of plain parts. On a file system a blob appears whole or not at all: it is written beside its
place and moved there.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import fsspec

from app.kernel.errors import Permanent, Transient

BLOCK = 1024 * 1024
# Clients of stores that let some of their own errors through, such as that nobody answers.
_CLIENTS = ("adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google")

_KEY = re.compile(r"(?!\.)[A-Za-z0-9._-]+(/(?!\.)[A-Za-z0-9._-]+)*")


class StoreAway(Transient):
    """The store does not take or give anything now; is its disk full, or its server away?"""

    code = "STORE_UNAVAILABLE"


class BlobMissing(Permanent):
    """The store has nothing under this key."""

    code = "BLOB_MISSING"


class StreamCut(Transient):
    """The bytes to be stored ended too soon."""

    code = "STREAM_CUT"


class Reads(Protocol):
    """Gives bytes, some at a time."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """What was stored: bytes, and their SHA-256 in hexadecimal."""

    size: int
    sha256: str


class BlobStore:
    """Blobs under one address, such as `file:///srv/headrace/logs` or `s3://bucket/logs`."""

    def __init__(self, address: str) -> None:
        # Listings that are kept know nothing of what other processes store meanwhile.
        self._files, root = fsspec.core.url_to_fs(address, use_listings_cache=False)
        self._root = root.rstrip("/")
        self._local = "file" in self._files.protocol

    def put(self, key: str, data: bytes) -> None:
        """Store some bytes; raises StoreAway."""
        with _naming_faults(), self._writing(key) as target:
            target.write(data)

    def put_file(self, key: str, path: Path) -> Stored:
        """Store a file, read once; raises StoreAway."""
        digest, size = hashlib.sha256(), 0
        with _naming_faults(), path.open("rb") as source, self._writing(key) as target:
            while block := source.read(BLOCK):
                digest.update(block)
                size += len(block)
                target.write(block)
        return Stored(size, digest.hexdigest())

    def put_stream(self, key: str, source: Reads, size: int) -> Stored:
        """Store exactly `size` bytes as they come; raises StoreAway, and StreamCut when there are fewer."""
        digest, left = hashlib.sha256(), size
        with _naming_faults(), self._writing(key) as target:
            while left:
                block = source.read(min(left, BLOCK))
                if not block:
                    raise StreamCut
                digest.update(block)
                left -= len(block)
                target.write(block)
        return Stored(size, digest.hexdigest())

    def read(self, key: str) -> bytes:
        """Return a whole blob; raises BlobMissing or StoreAway."""
        with self.open(key) as blob:
            return blob.read()

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """Open a blob for reading and seeking; raises BlobMissing or StoreAway."""
        with _naming_faults(), self._files.open(self._place(key), "rb") as blob:
            yield cast("BinaryIO", blob)

    def delete(self, prefix: str) -> None:
        """Delete everything under a prefix that is a whole part of the keys; nothing there is no fault."""
        with _naming_faults():
            if self._files.exists(self._place(prefix)):
                self._files.rm(self._place(prefix), recursive=True)

    @contextmanager
    def _writing(self, key: str) -> Iterator[BinaryIO]:
        place = self._place(key)
        if not self._local:
            try:
                yield from self._writing_afar(place)
            except FileNotFoundError as error:
                raise StoreAway("The store has no place for this; is there such a bucket?") from error
            return
        beside = Path(place).with_name(f".{uuid.uuid4().hex}.part")
        beside.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("wb") as target:
                yield target
            os.replace(beside, place)
        finally:
            beside.unlink(missing_ok=True)

    def _writing_afar(self, place: str) -> Iterator[BinaryIO]:
        """Closing a file is what stores it there, so what could not be written to its end is not closed."""
        target = self._files.open(place, "wb")
        try:
            yield cast("BinaryIO", target)
        except BaseException:
            with suppress(Exception):
                target.discard()
                target.closed = True
            raise
        target.close()

    def _place(self, key: str) -> str:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not a key of the store")
        return f"{self._root}/{key}"


@contextmanager
def _naming_faults() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise BlobMissing from error
    except OSError as error:
        raise StoreAway(f"The store failed: {error.strerror or type(error).__name__}.") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _CLIENTS:
            raise
        raise StoreAway(f"The store failed: {type(error).__name__}.") from error
