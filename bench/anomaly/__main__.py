"""`python -m bench.anomaly [--data folder] [--suite name]`: holds the detector to labelled series, suite by suite."""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from app.sre.detection import Judgement, State, judge
from bench.anomaly.measures import Tally, recall_at, tally
from bench.anomaly.nab import best_score
from bench.anomaly.over_http import over_http
from bench.anomaly.series import Series, suites

BUDGETS = (0.033, 0.1, 0.143)
CUTS = 2
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Run:
    """A series, judged: by itself and day by day as scans do it, what for, and how long that took."""

    series: Series
    judgement: Judgement
    detected_at: np.ndarray
    seconds: float


def main() -> int:
    """Judge every suite that can be had; returns 0 whether or not goals were met."""
    parser = argparse.ArgumentParser(prog="python -m bench.anomaly", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with nab/, cloud-monitoring/, make_faults.py")
    parser.add_argument("--suite", action="append", help="only suites whose name begins so")
    wanted = parser.parse_args()
    if wanted.data is None:
        print("No --data: nab and cloud-monitoring are left out, faults are made by bench/anomaly/made.py.\n")
    with over_http() as pace:
        for name, series in suites(wanted.data).items():
            if wanted.suite is None or name.startswith(tuple(wanted.suite)):
                runs = [run(each) for each in series]
                print(
                    "\n".join([*report(name, runs), *_costs(runs, pace([each.series for each in runs])), ""]),
                    flush=True,
                )
    return 0


def run(series: Series) -> Run:
    """Judge a series in slices of a day, the state going through bytes between them, and time it."""
    began, state, parts = time.process_time(), State.fresh(), list[Judgement]()
    ends = np.unique(
        [*np.searchsorted(series.times, np.arange(series.times.min(), series.times.max(), DAY)), len(series.times)]
    )
    for first, last in pairwise(ends):
        parts.append(judge(State.from_bytes(state.to_bytes()), series.times[first:last], series.values[first:last]))
        state = parts[-1].state
    seconds = time.process_time() - began
    whole = Judgement(
        state,
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.scores for part in parts]),
        tuple({anomaly.start: anomaly for part in parts for anomaly in part.anomalies}.values()),
    )
    return Run(series, whole, np.array([each.detected_at for each in whole.anomalies], dtype=np.int64), seconds)


def report(name: str, runs: Sequence[Run]) -> list[str]:
    """Return how right a suite was judged as lines of Markdown."""
    found = tally((each.series, each.detected_at) for each in runs)
    swept = recall_at(BUDGETS, [(each.series, each.judgement.times, each.judgement.scores) for each in runs])
    lines = [
        f"### {name}: {len(runs)} series, {found.events} events, {found.days:,.0f} series-days",
        "",
        *_alerts(found),
        f"- swept recall at {', '.join(f'{each:g}' for each in BUDGETS)} false alerts per series-day: "
        + ", ".join(f"{each:.3f}" for each in swept),
        f"- prefix violations: {sum(violations(each) for each in runs)} of {CUTS * len(runs)} cuts",
    ]
    if name == "nab":
        scored = [(each.series, _by_row(each)) for each in runs]
        lines.append(f"- NAB score, standard profile, best threshold: {best_score(scored):.1f}")
    return [*lines, *_kinds(found)]


def _costs(runs: Sequence[Run], over_http: float) -> list[str]:
    pace = sum(len(each.judgement.times) for each in runs) / sum(each.seconds for each in runs)
    state = np.mean([len(each.judgement.state.to_bytes()) for each in runs]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        f"- points per second and core, in process, in slices of a day: {pace:,.0f}",
        f"- points per second over HTTP, whole series in a scan each: {over_http:,.0f}",
        f"- memory: {state:,.0f} kB of state for each series; this process, with all series, {most:,.0f} MB at most",
    ]


def violations(each: Run) -> int:
    """Return how many of some cuts change a score before the cut."""
    random, wrong = np.random.default_rng(len(each.series.times)), 0
    for cut in random.integers(1, len(each.series.times), CUTS):
        scores = judge(None, each.series.times[:cut], each.series.values[:cut]).scores
        wrong += not np.array_equal(scores, each.judgement.scores[: len(scores)])
    return wrong


def _alerts(found: Tally) -> tuple[str, str]:
    alerts = f"recall {found.recall:.3f}, precision {found.precision:.3f}"
    return (
        f"- alerts by default: {alerts}, {found.false_per_day:.3f} false alerts per series-day",
        f"- delay: median {found.delay(50):.1f} min, p90 {found.delay(90):.1f} min",
    )


def _kinds(found: Tally) -> list[str]:
    kinds = sorted(kind for kind in found.by_kind if kind)
    return [f"- recall of {kind}: {np.mean(found.by_kind[kind]):.2f} of {len(found.by_kind[kind])}" for kind in kinds]


def _by_row(each: Run) -> np.ndarray:
    """Return a score for every row of the file, 0 for those that were not judged."""
    scores = np.zeros(len(each.series.times))
    places = np.searchsorted(each.judgement.times, each.series.times)
    scores[:] = np.append(each.judgement.scores, 0.0)[np.minimum(places, len(each.judgement.scores))]
    return scores


if __name__ == "__main__":
    sys.exit(main())
