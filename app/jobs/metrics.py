"""The job table and its totals as Prometheus reads them. One scrape costs the same however many jobs have ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app.jobs.models import QUEUED, RUNNING, Job, JobTotal, JobTotalsMark
from app.jobs.totals import BOUNDS
from app.kernel.clock import database_now

# Of each total: its counter, what that counts, and the name of its label where it has one.
COUNTERS: Mapping[str, tuple[str, str, str | None]] = {
    "accepted": ("headrace_jobs_accepted", "Jobs accepted", None),
    "started": ("headrace_jobs_started", "Attempts of jobs that a worker started", None),
    "finished": ("headrace_jobs_finished", "Jobs that ended, by how", "status"),
    "failed": ("headrace_jobs_failures", "Jobs that failed, by the code of their error", "code"),
    "requeued": ("headrace_jobs_requeued", "Attempts that ended with the job back in its queue", None),
    "retried": ("headrace_jobs_retried", "Ended jobs that somebody queued again", None),
    "lost": ("headrace_jobs_lost", "Attempts whose worker was lost", None),
    "relayed": ("headrace_jobs_relayed", "Hints that the relay sent: delayed ones, and lost ones again", None),
}
HISTOGRAMS = {
    "waited": ("headrace_jobs_wait_seconds", "From when a job was due to its start"),
    "ran": ("headrace_jobs_run_seconds", "From the start of an attempt to its end"),
}

Series = tuple[str, str]
Totals = Mapping[str, Mapping[Series, Mapping[str, float]]]


def read_metrics(session: Session) -> Iterator[Metric]:
    """Return all metrics of jobs."""
    yield from _read_unended(session)
    yield from _read_totals(session)
    yield _read_age(session)


def _read_unended(session: Session) -> Iterator[Metric]:
    waiting = case((Job.held, "held"), (Job.scheduled_for > database_now(), "scheduled"), else_="queued").label("state")
    working = case((Job.lease_until.is_(None), "parked"), else_="running").label("state")
    age = func.extract("epoch", database_now() - func.min(Job.scheduled_for))
    queued = select(Job.queue, waiting, func.count(), age).where(Job.status == QUEUED)
    running = select(Job.queue, working, func.count(), age).where(Job.status == RUNNING)
    jobs = GaugeMetricFamily("headrace_jobs", "Jobs that have not ended", labels=["queue", "status"])
    oldest = GaugeMetricFamily("headrace_jobs_oldest_seconds", "For how long the oldest job is due", labels=["queue"])
    for statement in (queued, running):
        for queue, status, count, seconds in session.execute(statement.group_by(Job.queue, "state")):
            jobs.add_metric([queue, status], count)
            if status == "queued":
                oldest.add_metric([queue], float(seconds))
    yield from (jobs, oldest)


def _read_totals(session: Session) -> Iterator[Metric]:
    totals: dict[str, dict[Series, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    columns = (JobTotal.name, JobTotal.queue, JobTotal.kind, JobTotal.label, JobTotal.total)
    for name, queue, kind, label, total in session.execute(select(*columns)):
        totals[name][queue, kind][label] = total
    yield from _counters(totals)
    yield from _histograms(totals)


def _counters(totals: Totals) -> Iterator[Metric]:
    for name, (metric, help_text, label) in COUNTERS.items():
        counter = CounterMetricFamily(metric, help_text, labels=["queue", "kind", *([label] if label else [])])
        for series, by_label in totals.get(name, {}).items():
            for value, total in by_label.items():
                counter.add_metric([*series, *([value] if label else [])], total)
        yield counter


def _histograms(totals: Totals) -> Iterator[Metric]:
    for name, (metric, help_text) in HISTOGRAMS.items():
        histogram = HistogramMetricFamily(metric, help_text, labels=["queue", "kind"])
        sums = totals.get(f"{name}_seconds", {})
        for series, by_bound in totals.get(name, {}).items():
            histogram.add_metric(series, _cumulated(by_bound), sums[series][""])
        yield histogram


def _cumulated(by_bound: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the buckets as Prometheus has them, each with all below it; bounds of earlier releases stay."""
    counted = {float(bound): total for bound, total in by_bound.items()}
    buckets: list[tuple[str, float]] = []
    below = 0.0
    for bound in sorted({*counted, *BOUNDS, float("inf")}):
        below += counted.get(bound, 0.0)
        buckets.append(("+Inf" if bound == float("inf") else str(bound), below))
    return buckets


def _read_age(session: Session) -> Metric:
    age = session.execute(select(func.extract("epoch", database_now() - JobTotalsMark.folded_at))).scalar_one()
    return GaugeMetricFamily(
        "headrace_relay_age_seconds", "How long ago a relay last went through its duties", value=max(float(age), 0.0)
    )
