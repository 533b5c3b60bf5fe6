"""Keeping problems: what a look has found is put into those that there are, or opens others; what has gone resolves
them. The session comes first; nothing here commits.

Whoever looks at a place has its lock, so that no problem is opened twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.kernel.clock import format_time
from app.kernel.ids import new_id
from app.monitoring import Place
from app.sre.models import CLOSED, RESOLVED, UNRESOLVED, Problem, ProblemSignal
from app.sre.problems import timeline
from app.sre.problems.grouping import Group, group
from app.sre.problems.rows import Kept, Room, cause_of, explain_row, load_kept, make_row, read_signal, refresh
from app.sre.problems.signals import FACT, Signal
from app.sre.problems.telling import tell_opened, tell_resolved

# What crashes is well again in between, and alerts flap.
QUIET: Final = timedelta(minutes=10)
# So long somebody who says that a problem is over is believed against what is still seen.
BELIEVED: Final = timedelta(minutes=15)
MOST_SIGNALS: Final = 500
MOST_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Look:
    """What was found at a place at a moment. Of facts of kinds that are not `looked_at` nobody knows whether they still
    hold: they stay as they were."""

    place: Place
    now: datetime
    signals: Sequence[Signal]
    looked_at: Collection[str]

    def is_over(self, signal: ProblemSignal) -> bool:
        """Tell whether a signal that was not found holds no longer."""
        return signal.source != FACT or signal.kind in self.looked_at


def keep_look(session: Session, look: Look) -> Counter[str]:
    """Write what a look has found; returns how many problems were opened, reopened, merged and resolved."""
    place = look.place
    lock = f"problems:{place.organization_id}:{place.workspace_id}:{place.cluster_id}"
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(lock, 0))))
    told: Counter[str] = Counter()
    found = {one.key: one for one in sorted(look.signals, key=lambda one: one.order)[:MOST_SIGNALS]}
    kept = load_kept(session, look.place, look.now)
    returned = {key for one in kept for key in _update_signals(session, one, found, look)}
    told["reopened"] = sum(_reopen(session, one, found, returned, look.now) for one in kept)
    alive = [one for one in kept if one.problem.status in UNRESOLVED]
    # What somebody has done with, and what was said to be over, opens nothing while it lasts.
    spoken_for = {key for one in kept if one not in alive for key, row in one.signals.items() if row.ended_at is None}
    fresh = [one for key, one in _with_stored_starts(found, alive).items() if key not in spoken_for]
    by_id, room = {one.problem.id: one for one in alive}, Room.beside(kept)
    for some in group(fresh, [one.to_known() for one in alive]):
        told += _keep_group(session, some, by_id, look, room)
    told["resolved"] = sum(_resolve_if_over(session, one, look.now) for one in by_id.values())
    session.flush()
    return told


def _with_stored_starts(found: Mapping[str, Signal], alive: Sequence[Kept]) -> dict[str, Signal]:
    """A signal began when it was first seen, also where its newest trace is younger."""
    starts = {key: row.started_at for one in alive for key, row in one.signals.items()}
    return {key: replace(one, start=min(one.start, starts.get(key, one.start))) for key, one in found.items()}


def _update_signals(session: Session, kept: Kept, found: Mapping[str, Signal], look: Look) -> list[str]:
    """Write how the signals of a problem are now; returns the keys of those that are back."""
    returned = []
    for key, row in kept.signals.items():
        signal = found.get(key)
        if signal is None:
            if row.ended_at is None and look.is_over(row):
                row.ended_at = look.now
                timeline.note(session, kept.problem, timeline.ENDED, key=key, message=row.message)
        elif kept.problem.status != CLOSED or row.ended_at is None:
            refresh(row, signal)
            if row.ended_at is not None:
                row.ended_at = None
                returned.append(key)
                timeline.note(session, kept.problem, timeline.RETURNED, key=key, message=row.message)
    return returned


def _reopen(
    session: Session, kept: Kept, found: Mapping[str, Signal], returned: Collection[str], now: datetime
) -> bool:
    problem = kept.problem
    if problem.status != RESOLVED or problem.resolved_at is None:
        return False
    is_back = any(key in returned for key in kept.signals)
    goes_on = now - problem.resolved_at >= BELIEVED and any(key in found for key in kept.signals)
    if not is_back and not goes_on:
        return False
    problem.reopen()
    reason = "It is back." if is_back else "It was said to be over, and still holds."
    timeline.note(session, problem, timeline.REOPENED, reason=reason)
    tell_opened(session, problem, reopened=True)
    return True


def _keep_group(session: Session, found: Group, alive: dict[Any, Kept], look: Look, room: Room) -> Counter[str]:
    told: Counter[str] = Counter()
    mine = [alive[problem_id] for problem_id in found.problems]
    if not mine:
        if not found.opens or not room.take_problem():
            return told
        mine, told["opened"] = [_open(session, found, look)], 1
    first, *others = mine
    for other in others:
        _merge(session, other, first, look.now)
        del alive[other.problem.id]
        told["merged"] += 1
    _add_signals(session, first, found, room, is_new=bool(told["opened"]))
    _judge(session, first.problem, found, is_new=bool(told["opened"]))
    if told["opened"]:
        alive[first.problem.id] = first
        tell_opened(session, first.problem)
    return told


def _open(session: Session, found: Group, look: Look) -> Kept:
    place = look.place
    problem = Problem(
        id=new_id(),
        organization_id=place.organization_id,
        workspace_id=place.workspace_id,
        cluster_id=place.cluster_id,
        title=found.cause.signal.message[:300],
        severity=found.severity,
        cause=cause_of(found.cause, ()),
        opened_at=found.signals[0].start,
    )
    session.add(problem)
    session.flush()
    session.refresh(problem)
    timeline.note(session, problem, timeline.OPENED, cause=found.cause.signal.message)
    return Kept(problem, {})


def _merge(session: Session, other: Kept, into: Kept, now: datetime) -> None:
    """Let a problem be part of an older one: it turned out that one thing is behind both."""
    timeline.note(session, other.problem, timeline.MERGED, into=str(into.problem.id))
    timeline.note(session, into.problem, timeline.MERGED, problem_id=str(other.problem.id), title=other.problem.title)
    other.problem.merge(into.problem.id, now)
    if into.problem.assignee_id is None:
        into.problem.assignee_id = other.problem.assignee_id
    into.problem.opened_at = min(into.problem.opened_at, other.problem.opened_at)
    for key, row in other.signals.items():
        if key not in into.signals:
            into.signals[key] = make_row(into.problem.id, read_signal(row))
            session.add(into.signals[key])
        row.ended_at = row.ended_at or now
    tell_resolved(session, other.problem, None)


def _add_signals(session: Session, kept: Kept, found: Group, room: Room, *, is_new: bool) -> None:
    for signal in found.signals:
        row = kept.signals.get(signal.key)
        if row is None:
            if signal.ended_at is not None or not room.take_signal(session, kept):
                continue
            row = kept.signals[signal.key] = make_row(kept.problem.id, signal)
            session.add(row)
            kept.problem.opened_at = min(kept.problem.opened_at, signal.start)
            if not is_new or signal.key != found.cause.signal.key:
                said = {"key": signal.key, "source": signal.source, "message": signal.message}
                timeline.note(session, kept.problem, timeline.BEGAN, **said, since=format_time(signal.start))
        explain_row(row, found.explanations.get(signal.key))


def _judge(session: Session, problem: Problem, found: Group, *, is_new: bool) -> None:
    """Write what is suspected to have come first, and how bad it is."""
    messages = {one.key: one.message for one in found.signals}
    explained = [
        {"key": key, "message": messages[key], "reason": one.reason, "strength": one.strength}
        for key, one in found.explanations.items()
        if one.by == found.cause.signal.key
    ]
    before = problem.cause.get("key"), problem.severity
    problem.cause = cause_of(found.cause, explained[:MOST_SHOWN])
    problem.title, problem.severity = found.cause.signal.message[:300], found.severity
    if is_new:
        return
    if before[0] != found.cause.signal.key:
        timeline.note(session, problem, timeline.CAUSE, before=before[0], now=found.cause.signal.key)
    if before[1] != problem.severity:
        timeline.note(session, problem, timeline.SEVERITY, before=before[1], now=problem.severity)


def _resolve_if_over(session: Session, kept: Kept, now: datetime) -> bool:
    ends = [row.ended_at for row in kept.signals.values()]
    if not all(end is not None and end <= now - QUIET for end in ends):
        return False
    kept.problem.resolve(now, None)
    timeline.note(session, kept.problem, timeline.RESOLVED, reason="Nothing of it holds any more.", automatic=True)
    tell_resolved(session, kept.problem, None)
    return True
