"""The table at the end of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from tests.faults.harness import Outcome
from tests.support.callers import FINAL

MOST_FAULTS = 10
LOST, HANDED = "has not been heard of", "The worker was stopped"


def report(outcome: Outcome) -> str:
    """Return all that is to be told of a run, as text."""
    parts = [_headline(outcome), _jobs(outcome), _faults(outcome), _numbers(outcome), _verdicts(outcome)]
    return "\n\n".join(parts)


def _headline(outcome: Outcome) -> str:
    plan = outcome.plan
    verdict = "PASSED" if outcome.passed else "FAILED"
    return f"{verdict}: make faults JOBS={plan.jobs} KILLS={plan.kills} SEED={plan.seed}"


def _jobs(outcome: Outcome) -> str:
    counted: dict[str, Counter[str]] = {}
    for promise in outcome.checker.promises.values():
        ended = outcome.checker.jobs.get(promise.job_id, {}).get("status", "missing")
        counted.setdefault(promise.wish.kind, Counter())[ended] += 1
        counted[promise.wish.kind]["attempts"] += outcome.checker.lives[promise.job_id].attempts
    columns = (*FINAL[:3], "attempts")
    rows = [[kind, *(str(count[column]) for column in columns)] for kind, count in sorted(counted.items())]
    return _table(["jobs", *columns], rows)


def _faults(outcome: Outcome) -> str:
    counted = Counter((fault.kind, fault.target) for fault in outcome.schedule.faults)
    kinds = sorted({kind for kind, _ in counted})
    rows = [
        [
            kind,
            str(sum(count for (one, _), count in counted.items() if one == kind)),
            ", ".join(f"{target} {count}" for (one, target), count in sorted(counted.items()) if one == kind),
        ]
        for kind in kinds
    ]
    return _table(["faults", "times", "of whom"], rows)


def _numbers(outcome: Outcome) -> str:
    lives = outcome.checker.lives.values()
    after = sorted(_seconds_after(outcome))
    replies = ", ".join(f"{what} {count}" for what, count in sorted(outcome.load.replies.items()))
    settled = "never" if outcome.settled_after is None else f"{outcome.settled_after:.1f} s"
    rows = [
        ["replies to POST", replies],
        ["POSTs sent again", str(sum(promise.tries - 1 for promise in outcome.load.promises))],
        ["processes started again", ", ".join(f"{name} {count}" for name, count in sorted(outcome.deaths.items()))],
        ["leases lost", str(sum(life.returned(LOST) for life in lives))],
        ["handed back", str(sum(life.returned(HANDED) for life in lives))],
        ["times the relay sent hints again", str(outcome.resent)],
        ["jobs open after the last fault", str(len(after))],
        ["their time to the end, p50 and p99", f"{_quantile(after, 0.5):.1f} s, {_quantile(after, 0.99):.1f} s"],
        ["all ended, after the last answer", settled],
        ["clock of the skewed worker", f"{outcome.schedule.skew:+d} s"],
    ]
    return _table(["numbers", ""], rows)


def _seconds_after(outcome: Outcome) -> Iterable[float]:
    for job_id in outcome.checker.promises:
        ended = outcome.checker.jobs.get(job_id, {}).get("finished_at")
        if ended and (after := datetime.fromisoformat(ended).timestamp() - outcome.calm_at) > 0:
            yield after


def _quantile(values: Sequence[float], share: float) -> float:
    return values[min(int(share * len(values)), len(values) - 1)] if values else 0.0


def _verdicts(outcome: Outcome) -> str:
    rows = [[v.name, str(v.checked), "ok" if not v.faults else f"{len(v.faults)} WRONG"] for v in outcome.verdicts]
    lines = [f"  {verdict.name}: {fault}" for verdict in outcome.verdicts for fault in verdict.faults[:MOST_FAULTS]]
    return "\n".join([_table(["checks", "of", ""], rows), *lines])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    title = "  ".join(cell.ljust(width) for cell, width in zip(head, widths, strict=True)).rstrip()
    return "\n".join([title, "-" * min(sum(widths) + 2 * len(widths), 110), *lines])
