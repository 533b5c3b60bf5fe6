"""Problems, and what leads to them: signals, looks, and inventories as clusters would have given them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.kernel.clock import utc_now
from app.kernel.db import Database
from app.monitoring import Place
from app.sre import Look, keep_look
from app.sre.facts import KINDS, Thing
from app.sre.models import Problem
from app.sre.problems.signals import Signal

START = utc_now().replace(microsecond=0)


def minutes(count: float) -> datetime:
    """Return so many minutes after the start."""
    return START + timedelta(minutes=count)


def fact(kind: str, about: Thing, at: float = 0.0, *places: Thing, **said: Any) -> Signal:
    """Return a fact that began so many minutes after the start."""
    words = {"severity": "warning", "message": f"{kind} of {about}", **said}
    key = f"fact:{kind}:{about}"
    return Signal(key, "fact", kind, about, start=minutes(at), places=frozenset({about, *places}), **words)


def alert(name: str, at: float, *places: Thing, **said: Any) -> Signal:
    """Return an alert that began so many minutes after the start; the first of its places is what it is about."""
    words = {"severity": "warning", "message": name, "trait": name, **said}
    about = places[0] if places else None
    key = f"alert:{name}:{about}"
    return Signal(key, "alert", name, about, start=minutes(at), places=frozenset(places), **words)


def anomaly(series: str, at: float, *places: Thing, **said: Any) -> Signal:
    """Return an anomaly that began so many minutes after the start."""
    words = {"severity": "warning", "message": series, "opens": False, **said}
    about = places[0] if places else None
    return Signal(f"anomaly:{series}", "anomaly", series, about, start=minutes(at), places=frozenset(places), **words)


def look(
    database: Database, place: Place, signals: Sequence[Signal], at: float, looked_at: Sequence[str] = tuple(KINDS)
) -> Counter[str]:
    """Keep what was seen so many minutes after the start; returns what became of problems."""
    with database.transaction() as session:
        return keep_look(session, Look(place, minutes(at), signals, looked_at))


def make_problem(database: Database, organization_id: UUID, **said: Any) -> Problem:
    """Make a problem as a look would have."""
    cause = {"key": "fact:x", "source": "fact", "kind": "NodeNotReady", "about": None, "message": "world"}
    cause |= {"since": "2026-01-05T12:00:00.000Z", "confidence": 0.5, "explained": 0, "evidence": {}}
    words = {"title": "world", "severity": "warning", "cause": cause, "opened_at": START, **said}
    problem = Problem(organization_id=organization_id, **words)
    with database.transaction() as session:
        session.add(problem)
        session.flush()
    return problem
