"""SRE: finding what goes wrong, and what should be done. What is unusual in series is found by scans: `detection` is
pure, and a scan is a job that a worker does with `read_parts`, `judge_part` and `keep_judged`. What should be done is
found by `recommending`, pure as well, from `read_grounds`, and kept by `keep_findings`. What belongs together
is one problem: a worker looks with `look_at_cluster` and `look_at_place`, and keeps that with `keep_look`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app import jobs
from app.sre import answering as _answering
from app.sre.advice import ask_everywhere, forget_applies, forget_settled, keep_findings
from app.sre.errors import EvidenceChanged, ScanGone
from app.sre.grounds import Grounds, measure_samples, read_grounds, read_samples
from app.sre.intents import (
    ApplyRecommendation,
    KeepScans,
    LookForProblems,
    MeasureEffect,
    Recommend,
    RecommendEverywhere,
    RunScan,
    RunScanSchedules,
)
from app.sre.judging import Judged, Part, judge_part, keep_judged, read_parts
from app.sre.keeping import forget_scans, make_scan_partitions, old_scans
from app.sre.models import Scan
from app.sre.outcomes import (
    Change,
    apply_ended,
    apply_retried,
    read_applied,
    read_change,
    record_effect,
    record_outcome,
)
from app.sre.problems.keeping import Look, keep_look
from app.sre.problems.looking import clusters_to_look_at, look_at_cluster, look_at_place, places_without_cluster
from app.sre.problems.moves import close_old, forget_problems
from app.sre.problems.timeline import forget_steps
from app.sre.recommending import (
    HISTORY,
    PRIORITIES,
    Finding,
    Subject,
    Workload,
    agrees,
    find_all,
    find_certificate,
    measure_effect,
    renew_command,
)
from app.sre.scanning import begin_scan, pending_positions, scan_ended, scan_retried, sum_up
from app.sre.schedules import run_due

if TYPE_CHECKING:
    from app.sre.routes import blueprints

every_answer = (_answering,)

jobs.follow(RunScan.kind, ended=scan_ended, retried=scan_retried)
jobs.follow(ApplyRecommendation.kind, ended=apply_ended, retried=apply_retried)

__all__ = [
    "HISTORY",
    "PRIORITIES",
    "ApplyRecommendation",
    "Change",
    "EvidenceChanged",
    "Finding",
    "Grounds",
    "Judged",
    "KeepScans",
    "Look",
    "LookForProblems",
    "MeasureEffect",
    "Part",
    "Recommend",
    "RecommendEverywhere",
    "RunScan",
    "RunScanSchedules",
    "Scan",
    "ScanGone",
    "Subject",
    "Workload",
    "agrees",
    "ask_everywhere",
    "begin_scan",
    "blueprints",
    "close_old",
    "clusters_to_look_at",
    "find_all",
    "find_certificate",
    "forget_applies",
    "forget_problems",
    "forget_scans",
    "forget_settled",
    "forget_steps",
    "judge_part",
    "keep_findings",
    "keep_judged",
    "keep_look",
    "look_at_cluster",
    "look_at_place",
    "make_scan_partitions",
    "measure_effect",
    "measure_samples",
    "old_scans",
    "pending_positions",
    "places_without_cluster",
    "read_applied",
    "read_change",
    "read_grounds",
    "read_parts",
    "read_samples",
    "record_effect",
    "record_outcome",
    "renew_command",
    "run_due",
    "sum_up",
]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone: workers enter this room too.
    if name == "blueprints":
        return import_module("app.sre.routes").blueprints
    raise AttributeError(name)
