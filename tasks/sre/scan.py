"""A scan: its series are judged some at a time, and what was judged stays judged when the worker is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from app.jobs import Run
from app.sre import Scan, ScanGone, begin_scan, judge_part, keep_judged, pending_positions, read_parts, sum_up

AT_ONCE: Final = 20


def scan(run: Run, scan_id: UUID) -> dict[str, Any]:
    """Judge all series of a scan that are not judged yet; returns how many points and anomalies there were."""
    with run.adding() as session:
        found = begin_scan(session, scan_id)
        if found is None:
            raise ScanGone
        waiting = list(pending_positions(session, found))
    done = found.series - len(waiting)
    while waiting:
        run.progress(100 * done / found.series, phase="judging", current=done, total=found.series)
        some, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        again = _judge(run, found, some)
        done += len(some) - len(again)
        waiting += again
    with run.adding() as session:
        return sum_up(session, session.get_one(Scan, scan_id))


def _judge(run: Run, found: Scan, positions: Sequence[int]) -> list[int]:
    """Judge some series; returns those that somebody else has judged meanwhile, and that are to be looked at again."""
    with run.reading() as session:
        parts = read_parts(session, found, positions)
    judged = []
    for part in parts:
        run.check()
        judged.append(judge_part(part))
    with run.adding() as session:
        return keep_judged(session, found, judged)
