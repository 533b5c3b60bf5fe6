"""The disk of the logs: small, so that it can be full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.outages import small_disk

MEGABYTES = 64
BLOCK = b"\0" * 1024 * 1024


class LogDisk:
    """A file system of its own where that may be mounted; else a folder that something else stands in the way of."""

    def __init__(self, folder: Path, *, is_real: bool) -> None:
        self._folder = folder
        self._ballast = folder / "ballast"
        self._aside = folder.with_name(f"{folder.name}-aside")
        self._is_real = is_real

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator[LogDisk]:
        """Make it at `folder`, and take it away in the end."""
        with small_disk(folder, MEGABYTES) as is_real:
            disk = cls(folder, is_real=is_real)
            yield disk
            disk.free()

    @property
    def url(self) -> str:
        """The address of the log store on it."""
        return f"file://{self._folder}/logs"

    def fill(self) -> None:
        """From now on nothing can be written."""
        if not self._is_real:
            self._folder.rename(self._aside)
            self._folder.touch()
            return
        with suppress(OSError), self._ballast.open("wb", buffering=0) as ballast:
            while ballast.write(BLOCK):
                pass

    def free(self) -> None:
        """From now on there is room again."""
        if self._is_real:
            self._ballast.unlink(missing_ok=True)
        elif self._aside.exists():
            self._folder.unlink()
            self._aside.rename(self._folder)
