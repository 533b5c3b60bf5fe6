"""What workers do for SRE: scan series, look for problems, find what should be done, and do it."""

from __future__ import annotations

from functools import partial
from typing import Any

from app.jobs import Run
from app.kernel.partitions import drop_partition
from app.sre import (
    ApplyRecommendation,
    KeepScans,
    LookForProblems,
    MeasureEffect,
    Recommend,
    RecommendEverywhere,
    RunScan,
    RunScanSchedules,
    ask_everywhere,
    close_old,
    forget_applies,
    forget_problems,
    forget_scans,
    forget_settled,
    forget_steps,
    make_scan_partitions,
    old_scans,
    run_due,
)
from tasks.forgetting import forget_all
from tasks.handling import handles
from tasks.sre.changing import change
from tasks.sre.look import look
from tasks.sre.recommending import measure, recommend
from tasks.sre.scan import scan
from tasks.tools import Tools


@handles(RunScan)
def run_scan(run: Run, intent: RunScan, _: Tools) -> dict[str, Any]:
    """Judge the series of a scan."""
    return scan(run, intent.scan_id)


@handles(RunScanSchedules)
def run_scan_schedules(run: Run, _: RunScanSchedules, __: Tools) -> dict[str, Any]:
    """Ask for the scans that are due."""
    return {"schedules": forget_all(run, run_due)}


@handles(KeepScans)
def keep_scans(run: Run, _: KeepScans, tools: Tools) -> dict[str, Any]:
    """Make the coming weeks' partitions, and forget what old scans have judged."""
    days = tools.metrics.score_days
    with run.recording() as (session, _job):
        make_scan_partitions(session)
        old = old_scans(session, days)
    for partition in old:
        run.check()
        with run.recording() as (session, _job):
            drop_partition(session, partition)
    return {
        "weeks": len(old),
        "scans": forget_all(run, partial(forget_scans, days=days)),
        "closed": forget_all(run, close_old),
        "steps": forget_all(run, forget_steps),
        "problems": forget_all(run, partial(forget_problems, days=tools.metrics.rollup_days)),
    }


@handles(LookForProblems)
def look_for_problems(run: Run, _: LookForProblems, __: Tools) -> dict[str, Any]:
    """Look at all places, and keep problems of what is seen."""
    return look(run)


@handles(RecommendEverywhere)
def recommend_everywhere(run: Run, _: RecommendEverywhere, __: Tools) -> dict[str, Any]:
    """Ask for the recommendations of every cluster, and forget those that are long over."""
    with run.recording() as (session, job):
        clusters = ask_everywhere(session, str(job.id))
    forgotten = forget_all(run, forget_applies) + forget_all(run, forget_settled)
    return {"clusters": clusters, "forgotten": forgotten}


@handles(Recommend)
def recommend_for_cluster(run: Run, intent: Recommend, tools: Tools) -> dict[str, Any]:
    """Find what should be done about a cluster."""
    return recommend(run, intent.cluster_id, tools)


@handles(ApplyRecommendation)
def apply_recommendation(run: Run, intent: ApplyRecommendation, tools: Tools) -> None:
    """Make the change that a recommendation is about, or try it."""
    change(run, intent.apply_id, tools)


@handles(MeasureEffect)
def measure_applied(run: Run, intent: MeasureEffect, _: Tools) -> dict[str, Any]:
    """See what came of a recommendation that was applied."""
    return measure(run, intent.apply_id)
