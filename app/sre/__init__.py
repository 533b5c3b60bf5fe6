"""SRE: finding what goes wrong. What is unusual in series is found by scans: `detection` is pure, and a scan is a job
that a worker does with `read_parts`, `judge_part` and `keep_judged`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app import jobs
from app.sre import answering as _answering
from app.sre.errors import ScanGone
from app.sre.intents import KeepScans, RunScan, RunScanSchedules
from app.sre.judging import Judged, Part, judge_part, keep_judged, read_parts
from app.sre.keeping import forget_scans, make_scan_partitions, old_scans
from app.sre.models import Scan
from app.sre.scanning import begin_scan, pending_positions, scan_ended, scan_retried, sum_up
from app.sre.schedules import run_due

if TYPE_CHECKING:
    from app.sre.routes import blueprints

every_answer = (_answering,)

jobs.follow(RunScan.kind, ended=scan_ended, retried=scan_retried)

__all__ = [
    "Judged",
    "KeepScans",
    "Part",
    "RunScan",
    "RunScanSchedules",
    "Scan",
    "ScanGone",
    "begin_scan",
    "blueprints",
    "forget_scans",
    "judge_part",
    "keep_judged",
    "make_scan_partitions",
    "old_scans",
    "pending_positions",
    "read_parts",
    "run_due",
    "sum_up",
]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone: workers enter this room too.
    if name == "blueprints":
        return import_module("app.sre.routes").blueprints
    raise AttributeError(name)
