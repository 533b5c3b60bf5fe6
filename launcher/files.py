"""Files that only their owner may read, written whole or not at all, and logs that stay small."""

import os
import tempfile
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Puts `text` at `path` with mode 0600; a reader sees the old file or the new one, never a part."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def rotate(log: Path, limit: int) -> int:
    """Moves a log past `limit` bytes to its `.1`, over the one before; returns the size of what is left at `log`."""
    size = log.stat().st_size if log.exists() else 0
    if size <= limit:
        return size
    os.replace(log, log.with_name(log.name + ".1"))
    return 0
