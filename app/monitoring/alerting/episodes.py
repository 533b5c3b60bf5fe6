"""What follows from a condition that holds, or does not, at one step after the other: the same for live rules and for
those that are tried on the past. No IO.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

PENDING: Final = "pending"
FIRING: Final = "firing"
RESOLVED: Final = "resolved"


@dataclass(frozen=True, slots=True)
class Episode:
    """How far an alert has come. Times are seconds since the epoch; `violated_at` is the newest at which it held."""

    status: str
    pending_at: float
    violated_at: float
    fired_at: float | None = None
    resolved_at: float | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """For how many seconds a condition must hold before it fires, and not hold before it is over."""

    hold: float = 0.0
    keep: float = 0.0


def advance(episode: Episode | None, at: float, *, violated: bool, patience: Patience) -> Episode | None:
    """Return what an episode is after one more step; None where there is none. What is resolved goes on no more: the
    next violation begins another."""
    if episode is None or episode.status == RESOLVED:
        if not violated:
            return None
        episode = Episode(PENDING, at, at)
    if not violated:
        return _calm(episode, at, patience)
    episode = replace(episode, violated_at=at)
    if episode.status == PENDING and at - episode.pending_at >= patience.hold:
        return replace(episode, status=FIRING, fired_at=at)
    return episode


def _calm(episode: Episode, at: float, patience: Patience) -> Episode | None:
    if episode.status == PENDING:
        return None
    if at - episode.violated_at < patience.keep:
        return episode
    return replace(episode, status=RESOLVED, resolved_at=at)


def replay(steps: Iterable[tuple[float, bool]], patience: Patience) -> list[Episode]:
    """Return the episodes that fired over steps of (time, whether the condition holds)."""
    fired: list[Episode] = []
    episode: Episode | None = None
    for at, violated in steps:
        episode = advance(episode, at, violated=violated, patience=patience)
        if episode is not None and episode.status == RESOLVED:
            fired.append(episode)
            episode = None
    return [*fired, episode] if episode is not None and episode.status == FIRING else fired
