"""Watching a kind of objects of a cluster for a little while: until a moment after something happened, or until others
want the thread. Nothing is written here."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from app.clusters import News, Seen, Watched
from tasks.clusters.gateways.kubernetes import Change, Cluster, ClusterAway, ClusterError, HistoryGone, Limits
from tasks.clusters.observing import KINDS, LONGEST_VERSION
from tasks.clusters.summaries import SUMMARIES
from tasks.gateways.lookup import Keep

# The first turn is for when each kind has a thread of its own, the other for when they take turns.
ALONE_SECONDS: Final = 20.0
CROWDED_SECONDS: Final = 5.0
GATHER_SECONDS: Final = 1.0
MOST: Final = 1000
LIMITS: Final = Limits(connect=5.0, first_byte=10.0, whole=ALONE_SECONDS, max_line=2 * 1024 * 1024)


class Enough(Exception):
    """What was gathered so far is to be written."""


class Gathering:
    """What a watch tells, until that is enough: a moment after the first of it, or when its time is over. `keep` is for
    the connection, which asks it while it waits."""

    def __init__(self, watched: Watched, seconds: float, keep: Keep) -> None:
        self._watched = watched
        self._summarize = SUMMARIES[watched.kind]
        self._ends = time.monotonic() + seconds
        self._keep = keep
        self._version = watched.version
        self._objects: dict[tuple[str, str], Seen | None] = {}

    def keep(self) -> None:
        """Raise Enough, or what the attempt's own `keep` raises."""
        self._keep()
        if time.monotonic() > self._ends:
            raise Enough

    def take(self, changes: Iterable[Change]) -> None:
        """Add what a watch tells, until it ends; raises Enough."""
        for change in changes:
            self._version = change.version[:LONGEST_VERSION]
            if change.type != "BOOKMARK":
                self._add(change)

    def _add(self, change: Change) -> None:
        if not self._objects:
            self._ends = min(self._ends, time.monotonic() + GATHER_SECONDS)
        seen = self._summarize(change.object)
        if seen.name:
            self._objects[seen.key] = None if change.type == "DELETED" else seen
        if len(self._objects) >= MOST:
            raise Enough

    def tell(self) -> News:
        """Return all of it."""
        return News(self._watched.version, self._version, self._objects)


def watch(cluster: Cluster, watched: Watched, gathering: Gathering) -> News:
    """Return what happens to a kind of objects in its time. One that cannot be watched, or not from there on, is listed
    again."""
    try:
        changes = cluster.watch(KINDS[watched.kind], since=watched.version, seconds=int(ALONE_SECONDS))
        gathering.take(changes)
    except (Enough, ClusterAway):
        # What was told before the connection was lost has happened.
        return gathering.tell()
    except HistoryGone:
        return News(watched.version, None, soon=True)
    except ClusterError:
        return News(watched.version, None)
    return gathering.tell()
