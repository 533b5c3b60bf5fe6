"""Problems and signals as rows, and back. The session comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from app.kernel.clock import format_time
from app.monitoring import Place
from app.sre.facts import Thing
from app.sre.models import RESOLVED, UNRESOLVED, Problem, ProblemSignal
from app.sre.problems.grouping import Cause, Explanation, Known
from app.sre.problems.signals import Signal

# Within this time what comes back is the same problem.
RETURN: Final = timedelta(hours=2)
MOST_PLACES: Final = 100
MOST_SIGNALS: Final = 1_000
MOST_PROBLEMS: Final = 500


@dataclass(slots=True)
class Kept:
    """A problem with its signals as they are stored, by their keys."""

    problem: Problem
    signals: dict[str, ProblemSignal]

    def to_known(self) -> Known:
        """Return it as grouping knows it."""
        return Known(self.problem.id, self.problem.created_at, [read_signal(one) for one in self.signals.values()])


@dataclass(slots=True)
class Room:
    """How many more signals and problems a place may have beside those that are kept: comparing signals with each other
    takes the square of their number, and a place may say new ones every minute."""

    signals: int
    problems: int

    @classmethod
    def beside(cls, kept: Sequence[Kept]) -> Room:
        """Return what is left."""
        return cls(MOST_SIGNALS - sum(len(one.signals) for one in kept), MOST_PROBLEMS - len(kept))

    def take_problem(self) -> bool:
        """Tell whether there is room for one more problem and its first signal, and take it."""
        self.problems -= 1
        return self.problems >= 0 and self.signals > 0

    def take_signal(self, session: Session, kept: Kept) -> bool:
        """Tell whether there is room for one more signal of a problem, if need be of the one of it that ended first."""
        if self.signals > 0:
            self.signals -= 1
            return True
        ended = [(row.ended_at, key) for key, row in kept.signals.items() if row.ended_at is not None]
        if ended:
            row = kept.signals.pop(min(ended)[1])
            (session.expunge if row in session.new else session.delete)(row)
        return bool(ended)


def load_kept(session: Session, place: Place, now: datetime) -> list[Kept]:
    """Return the problems of a place that are not over, those that were until lately, and those of which something
    still holds that somebody has done with; all locked, and at most MOST_PROBLEMS of them."""
    holds = exists().where(ProblemSignal.problem_id == Problem.id, ProblemSignal.ended_at.is_(None))
    lately = (Problem.status == RESOLVED) & (Problem.resolved_at >= now - RETURN)
    mine = [Problem.organization_id == place.organization_id]
    mine += [
        getattr(Problem, name).is_not_distinct_from(getattr(place, name)) for name in ("workspace_id", "cluster_id")
    ]
    is_open = Problem.status.in_(UNRESOLVED)
    rows = select(Problem).where(*mine, or_(is_open, lately, holds))
    rows = rows.order_by(is_open.desc(), Problem.created_at, Problem.id).limit(MOST_PROBLEMS)
    problems = session.scalars(rows.with_for_update()).all()
    kept = {problem.id: Kept(problem, {}) for problem in problems}
    for signal in session.scalars(select(ProblemSignal).where(ProblemSignal.problem_id.in_(kept))):
        kept[signal.problem_id].signals[signal.key] = signal
    return list(kept.values())


def read_signal(row: ProblemSignal) -> Signal:
    """Return a stored signal."""
    return Signal(
        key=row.key,
        source=row.source,
        kind=row.kind,
        about=None if row.about is None else Thing(*row.about),
        severity=row.severity,
        message=row.message,
        start=row.started_at,
        places=frozenset(Thing(*one) for one in row.places),
        trait=row.trait,
        opens=row.opens,
        ended_at=row.ended_at,
        evidence=row.evidence,
    )


def make_row(problem_id: UUID, signal: Signal) -> ProblemSignal:
    """Return a signal as it is stored with a problem."""
    row = ProblemSignal(problem_id=problem_id, key=signal.key, started_at=signal.start, ended_at=signal.ended_at)
    row.source, row.kind = signal.source, signal.kind
    refresh(row, signal)
    return row


def refresh(row: ProblemSignal, signal: Signal) -> None:
    """Write what is now said of a signal that goes on."""
    row.about = None if signal.about is None else list(signal.about)
    row.places = [list(one) for one in sorted(signal.places, key=lambda one: (one != signal.about, one))[:MOST_PLACES]]
    row.trait, row.severity, row.message = signal.trait, signal.severity, signal.message
    row.evidence, row.opens = dict(signal.evidence), signal.opens


def explain_row(row: ProblemSignal, explanation: Explanation | None) -> None:
    """Write what is suspected to be behind a signal."""
    row.explained_by = explanation.by if explanation else None
    row.reason = explanation.reason if explanation else None
    row.strength = explanation.strength if explanation else None


def cause_of(cause: Cause, explained: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a suspected first cause as it is stored and shown."""
    signal = cause.signal
    return {
        "key": signal.key,
        "source": signal.source,
        "kind": signal.kind,
        "about": None if signal.about is None else signal.about._asdict(),
        "message": signal.message,
        "since": format_time(signal.start),
        "confidence": cause.confidence,
        "explained": cause.explained,
        "evidence": {"observed": dict(signal.evidence), "explains": list(explained)},
    }


def show_signal(row: ProblemSignal) -> dict[str, Any]:
    """Return a signal as clients see it."""
    same = ("key", "source", "kind", "severity", "message", "evidence", "started_at", "ended_at")
    shown = {name: getattr(row, name) for name in (*same, "explained_by", "reason", "strength")}
    return shown | {"about": None if row.about is None else Thing(*row.about)._asdict()}
