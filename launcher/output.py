"""What people see and what is kept of it: prefixed lines on the terminal, one log file a process."""

import contextlib
import os
import re
import sys
import threading
from pathlib import Path
from typing import BinaryIO

from launcher.files import rotate

LOG_BYTES = 5_000_000
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
# Colours may pass; whatever else a line could tell a terminal to do may not.
UNSAFE = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """`text` without the control characters that move cursors or reprogram terminals; tabs and colours stay."""
    return UNSAFE.sub("", text)


class LogFile:
    """An append-only log that keeps its last and its current 5 MB."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file, self._size = self._open()

    def write(self, line: bytes) -> None:
        """Adds one line, which brings its newline."""
        if self._size > LOG_BYTES:
            self._file.close()
            self._file, self._size = self._open()
        self._file.write(line)
        self._size += len(line)

    def close(self) -> None:
        """Ends the writing."""
        self._file.close()

    def _open(self) -> tuple[BinaryIO, int]:
        size = rotate(self._path, LOG_BYTES)
        return self._path.open("ab", buffering=0), size


class Console:
    """Standard output for several threads; a terminal that has gone away is no reason to stop.

    `quiet` keeps the lines of the processes to their log files.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._lock = threading.Lock()
        self._coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._width = 8
        self._names: list[str] = []

    def expect(self, names: list[str]) -> None:
        """Sets the width and the colours of the prefixes to come."""
        self._names = names
        self._width = max(self._width, *(len(name) for name in names))

    def say(self, text: str) -> None:
        """A message of the launcher itself."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            print(text, flush=True)

    def line(self, name: str, text: str) -> None:
        """A line that the process `name` wrote."""
        if self.quiet:
            return
        prefix = f"{name:<{self._width}} |"
        if self._coloured:
            number = self._names.index(name) if name in self._names else 0
            prefix = f"\x1b[{COLOURS[number % len(COLOURS)]}m{prefix}\x1b[0m"
        self.say(f"{prefix} {printable(text)}")
