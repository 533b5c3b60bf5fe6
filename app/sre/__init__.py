"""SRE: finding what goes wrong. What is unusual in series is found by scans: `detection` is pure, and a scan is a job
that a worker does with `read_parts`, `judge_part` and `keep_judged`. What belongs together is one problem: a worker
looks with `look_at_cluster` and `look_at_place`, and keeps that with `keep_look`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app import jobs
from app.sre import answering as _answering
from app.sre.errors import ScanGone
from app.sre.intents import KeepScans, LookForProblems, RunScan, RunScanSchedules
from app.sre.judging import Judged, Part, judge_part, keep_judged, read_parts
from app.sre.keeping import forget_scans, make_scan_partitions, old_scans
from app.sre.models import Scan
from app.sre.problems.keeping import Look, keep_look
from app.sre.problems.looking import clusters_to_look_at, look_at_cluster, look_at_place, places_without_cluster
from app.sre.problems.moves import close_old, forget_problems
from app.sre.problems.timeline import forget_steps
from app.sre.scanning import begin_scan, pending_positions, scan_ended, scan_retried, sum_up
from app.sre.schedules import run_due

if TYPE_CHECKING:
    from app.sre.routes import blueprints

every_answer = (_answering,)

jobs.follow(RunScan.kind, ended=scan_ended, retried=scan_retried)

__all__ = [
    "Judged",
    "KeepScans",
    "Look",
    "LookForProblems",
    "Part",
    "RunScan",
    "RunScanSchedules",
    "Scan",
    "ScanGone",
    "begin_scan",
    "blueprints",
    "close_old",
    "clusters_to_look_at",
    "forget_problems",
    "forget_scans",
    "forget_steps",
    "judge_part",
    "keep_judged",
    "keep_look",
    "look_at_cluster",
    "look_at_place",
    "make_scan_partitions",
    "old_scans",
    "pending_positions",
    "places_without_cluster",
    "read_parts",
    "run_due",
    "sum_up",
]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone: workers enter this room too.
    if name == "blueprints":
        return import_module("app.sre.routes").blueprints
    raise AttributeError(name)
