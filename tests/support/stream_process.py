"""A stream process for tests: the real one, with logs and ended logins told by files in a folder.

`<step id>.json` holds `{"attempts": {"1": [line, …]}, "ended": bool}`, `ended` the ids of logins, one a line.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.kernel.live import LiveReader
from app.kernel.opening import open_database
from app.realtime import Parts, Right, run_streams


@dataclass(frozen=True)
class FilePage:
    """Lines read from a file."""

    lines: Sequence[dict[str, Any]]
    attempt: int
    ended: bool


class FileLogs:
    """Reads logs from files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, step_run_id: UUID, after: tuple[int, int], limit: int) -> FilePage:
        """Read as LogReader says."""
        log = json.loads((self._folder / f"{step_run_id}.json").read_text())
        for number in sorted(map(int, log["attempts"])):
            lines = [line for line in log["attempts"][str(number)] if (number, line["seq"]) > after]
            if lines:
                return FilePage(lines[:limit], number, log["ended"])
        return FilePage([], after[0], log["ended"])


async def main(settings: dict[str, Any]) -> None:
    """Run until SIGTERM."""
    folder = Path(settings["folder"])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    live = LiveReader.open(settings["redis_url"])

    def ended(session: Session, rights: Collection[Right]) -> set[Right]:
        assert session.is_active
        logins = (folder / "ended").read_text().split()
        return {right for right in rights if str(right.session_id) in logins}

    parts = Parts(
        socket_path=Path(settings["socket"]),
        max_streams=settings["max_streams"],
        database=open_database(settings["database_url"], None, pool_size=8),
        live=live,
        log_reader=FileLogs(folder),
        ended=ended,
        beat_seconds=1,
    )
    await run_streams(parts, stop)
    await live.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(json.loads(sys.argv[1])))
