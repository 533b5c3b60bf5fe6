"""A rule tried on the past: what it would have fired, beside what the rule fires that it would replace. It goes by the
same conditions and episodes as live rules do. The session comes first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from app.kernel.clock import format_time
from app.kernel.errors import Permanent, Refusal
from app.monitoring.alerting.episodes import Episode, Patience, replay
from app.monitoring.alerting.evaluating import condition_of, fields_of, find_all, series_of
from app.monitoring.models import AlertRule, AlertTrial
from app.monitoring.naming import text_of

MOST_SHOWN: Final = 500


class TrialGone(Permanent):
    """The trial is gone."""

    code = "TRIAL_NOT_FOUND"


class TrialFailed(Permanent):
    """The rule cannot be worked out over this time."""

    code = "TRIAL_FAILED"


Firings = dict[str, list[Episode]]


def run_trial(session: Session, trial_id: UUID) -> dict[str, Any]:
    """Return what a trial finds: how often the proposed rule would have fired and when, and what is new, gone or the
    same beside the rule that there is. Raises TrialGone, TrialFailed."""
    trial = session.get(AlertTrial, trial_id)
    if trial is None:
        raise TrialGone
    proposed = _fire(session, trial, trial.proposed)
    told: dict[str, Any] = {"fired": _count(proposed), "episodes": _show(proposed)}
    rule = session.get(AlertRule, trial.rule_id) if trial.rule_id else None
    if rule is not None:
        told["compared"] = _compare(proposed, _fire(session, trial, fields_of(rule)))
    return told


def _fire(session: Session, trial: AlertTrial, fields: Mapping[str, Any]) -> Firings:
    interval = float(fields["interval_seconds"])
    first = np.ceil(trial.start / interval) * interval
    steps = np.arange(first, trial.end + interval / 2, interval)
    if not len(steps):
        return {}
    try:
        findings = find_all(session, series_of(trial), condition_of(fields), steps)
    except Refusal as refusal:
        raise TrialFailed("; ".join(one.message for one in refusal.errors) or refusal.message) from None
    patience = Patience(fields["for_seconds"], fields["keep_seconds"])
    fired: Firings = {}
    for finding in findings:
        if finding.violated.any():
            labels = {name: value for name, value in finding.labels.items() if name != "__name__"}
            holds = zip(steps.tolist(), finding.violated.tolist(), strict=True)
            fired.setdefault(text_of("", labels), []).extend(replay(holds, patience))
    return {labels: episodes for labels, episodes in fired.items() if episodes}


def _compare(proposed: Firings, current: Firings) -> dict[str, Any]:
    """Return which episodes only one of both has; two are the same when they overlap, for the same labels."""
    new = {labels: _without(episodes, current.get(labels, ())) for labels, episodes in proposed.items()}
    gone = {labels: _without(episodes, proposed.get(labels, ())) for labels, episodes in current.items()}
    return {
        "fired": _count(current),
        "same": _count(proposed) - _count(new),
        "new": _count(new),
        "gone": _count(gone),
        "new_episodes": _show(new),
        "gone_episodes": _show(gone),
    }


def _without(episodes: Iterable[Episode], others: Iterable[Episode]) -> list[Episode]:
    known = list(others)
    return [one for one in episodes if not any(_overlap(one, other) for other in known)]


def _overlap(one: Episode, other: Episode) -> bool:
    ends = [episode.resolved_at or np.inf for episode in (one, other)]
    return (one.fired_at or 0.0) < ends[1] and (other.fired_at or 0.0) < ends[0]


def _count(firings: Firings) -> int:
    return sum(len(episodes) for episodes in firings.values())


def _show(firings: Firings) -> list[dict[str, Any]]:
    rows = [(episode.fired_at or 0.0, labels, episode) for labels, some in firings.items() for episode in some]
    shown = sorted(rows, key=lambda row: row[:2])[:MOST_SHOWN]
    return [
        {"series": labels, "fired_at": _write(fired), "resolved_at": _write(episode.resolved_at)}
        for fired, labels, episode in shown
    ]


def _write(seconds: float | None) -> str | None:
    return None if seconds is None else format_time(datetime.fromtimestamp(seconds, UTC))
