"""The disk of the logs: small, so that it can be full."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

MEGABYTES = 64
BLOCK = b"\0" * 1024 * 1024


class LogDisk:
    """A file system of its own where that may be mounted; else a folder that something else stands in the way of."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ballast = folder / "ballast"
        self._aside = folder.with_name(f"{folder.name}-aside")
        folder.mkdir()
        self.is_real = _mount(folder)

    @property
    def url(self) -> str:
        """The address of the log store on it."""
        return f"file://{self._folder}/logs"

    def fill(self) -> None:
        """From now on nothing can be written."""
        if not self.is_real:
            self._folder.rename(self._aside)
            self._folder.touch()
            return
        with suppress(OSError), self._ballast.open("wb", buffering=0) as ballast:
            while ballast.write(BLOCK):
                pass

    def free(self) -> None:
        """From now on there is room again."""
        if self.is_real:
            self._ballast.unlink(missing_ok=True)
        elif self._aside.exists():
            self._folder.unlink()
            self._aside.rename(self._folder)

    def close(self) -> None:
        """Give the file system back."""
        self.free()
        if self.is_real:
            subprocess.run(["umount", "--lazy", str(self._folder)], check=False)
        shutil.rmtree(self._folder, ignore_errors=True)


def _mount(folder: Path) -> bool:
    if os.geteuid() != 0:
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "none", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
