"""What workers do for monitoring: pull samples from sources, keep them compact and for as long as they are kept, and
look at rules."""

from __future__ import annotations

from functools import partial
from typing import Any

from app.jobs import Run
from app.kernel.partitions import drop_partition
from app.monitoring import (
    CollectMetrics,
    FoldSamples,
    KeepMetrics,
    PullMetrics,
    TryRule,
    WatchRules,
    fold_some,
    forget_alerts,
    forget_silent,
    make_metric_partitions,
    old_metrics,
    run_trial,
)
from tasks.forgetting import forget_all
from tasks.handling import handles
from tasks.monitoring.pulling import collect, pull_due
from tasks.monitoring.watch import watch
from tasks.tools import Tools


@handles(FoldSamples)
def fold_samples(run: Run, _: FoldSamples, __: Tools) -> dict[str, Any]:
    """Fold all that is new."""
    return {"series": forget_all(run, fold_some)}


@handles(KeepMetrics)
def keep_metrics(run: Run, _: KeepMetrics, tools: Tools) -> dict[str, Any]:
    """Make the coming weeks' partitions, drop those that are too old, and forget series that nobody writes to."""
    kept = tools.metrics
    with run.recording() as (session, _job):
        make_metric_partitions(session)
        old = old_metrics(session, kept.sample_days, kept.rollup_days)
    for partition in old:
        run.check()
        with run.recording() as (session, _job):
            drop_partition(session, partition)
    return {
        "weeks": len(old),
        "series": forget_all(run, partial(forget_silent, rollup_days=kept.rollup_days)),
        "alerts": forget_all(run, partial(forget_alerts, days=kept.rollup_days)),
    }


@handles(WatchRules)
def watch_rules(run: Run, _: WatchRules, __: Tools) -> dict[str, Any]:
    """Look at the rules that are due, and tell what is to be told."""
    return watch(run)


@handles(TryRule)
def try_rule(run: Run, intent: TryRule, _: Tools) -> dict[str, Any]:
    """Try a rule on stored history."""
    with run.reading() as session:
        return run_trial(session, intent.trial_id)


@handles(PullMetrics)
def pull_metrics(run: Run, _: PullMetrics, tools: Tools) -> dict[str, Any]:
    """Pull from all sources that are due."""
    return pull_due(run, tools)


@handles(CollectMetrics)
def collect_metrics(run: Run, intent: CollectMetrics, tools: Tools) -> dict[str, Any]:
    """Pull from the sources of a place now."""
    return collect(run, intent.place_id, tools)
