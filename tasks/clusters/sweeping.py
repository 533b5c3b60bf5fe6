"""A sweep: for a minute, all clusters are checked and looked into as they become due.

Lanes keep the dead from costing the living anything: clusters that were well, those that failed the last time,
inventories, and watches. Results are written in bulk, by this thread alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import DataError

from app.clusters import (
    CheckRules,
    Due,
    Found,
    News,
    Observed,
    Watched,
    open_access,
    record_checks,
    record_inventory,
    record_news,
    take_due_checks,
    take_due_inventories,
    take_due_watches,
)
from app.jobs import Cancelled, HandedBack, Job, LeaseLost, Run
from app.kernel.clock import database_now
from app.kernel.crypto import Undecryptable
from tasks.clusters.checking import check, check_limits, describe
from tasks.clusters.gateways.kubernetes import Cluster, ClusterError, Limits, RestCluster
from tasks.clusters.lanes import Lane
from tasks.clusters.observing import LIMITS, SECONDS, observe
from tasks.clusters.opening import keep_within
from tasks.clusters.watching import ALONE_SECONDS, CROWDED_SECONDS, Gathering, watch
from tasks.clusters.watching import LIMITS as WATCH_LIMITS
from tasks.gateways.lookup import Keep
from tasks.tools import Tools

log = logging.getLogger(__name__)

SWEEP_SECONDS: Final = 57.0
TOO_LATE: Final = timedelta(seconds=90)
PAUSE: Final = 0.25
LOOK_SECONDS: Final = 1.0
# A check waits for the network, an inventory mostly for the processor.
WELL_THREADS: Final = 32
SUSPECT_THREADS: Final = 16
INVENTORY_THREADS: Final = 4

Outcome = TypeVar("Outcome")
Inventory = Mapping[str, Observed]


def sweep(run: Run, tools: Tools, seconds: float = SWEEP_SECONDS) -> dict[str, Any]:
    """Sweep for so many seconds and say how many clusters were checked and looked into.

    One that comes late does nothing: others have come since, and would be kept from working.
    """
    with run.reading() as session:
        late = session.scalar(select(database_now() - Job.scheduled_for).where(Job.id == run.claim.job_id))
    if late is not None and late > TOO_LATE:
        return {"late": True}
    return _Sweep(run, tools).work(seconds)


class _Sweep:
    def __init__(self, run: Run, tools: Tools) -> None:
        self._run = run
        self._tools = tools
        self._rules: CheckRules = tools.clusters.checks
        lease = self._rules.timeout * 3
        well, suspects = (partial(take_due_checks, lease=lease, suspects=suspects) for suspects in (False, True))
        inventories = partial(take_due_inventories, lease=SECONDS * 2)
        self._checks: list[Lane[Due, Found]] = [
            Lane(WELL_THREADS, partial(self._take, well), self._check),
            Lane(SUSPECT_THREADS, partial(self._take, suspects), self._check),
        ]
        self._inventories: Lane[Due, Inventory] = Lane(
            INVENTORY_THREADS, partial(self._take, inventories), self._observe
        )
        self._watches: Lane[Watched, News] = Lane(self._rules.watches, self._take_watches, self._watch)
        self._ends = self._watch_seconds = 0.0
        self._told = {"checked": 0, "failed": 0, "moved": 0, "observed": 0, "changed": 0}

    def work(self, seconds: float) -> dict[str, Any]:
        """Go on for so many seconds, then end what was begun."""
        ends, looked = time.monotonic() + seconds, 0.0
        self._ends = ends
        # An inventory that is begun later would outlast the sweep.
        last_inventories = ends - min(SECONDS, seconds / 3)
        try:
            while time.monotonic() < ends and not self._run.should_stop():
                if time.monotonic() - looked >= LOOK_SECONDS:
                    looked = time.monotonic()
                    self._feed(is_late=looked > last_inventories)
                self._record()
                time.sleep(PAUSE)
            while self._is_busy() and not self._run.should_stop():
                self._record()
                time.sleep(PAUSE)
            self._record()
        finally:
            for close in (*(lane.close for lane in self._checks), self._inventories.close, self._watches.close):
                close()
        self._run.check()
        return dict(self._told)

    def _feed(self, *, is_late: bool) -> None:
        for lane in self._checks:
            lane.feed()
        self._watches.feed()
        if not is_late:
            self._inventories.feed()

    def _is_busy(self) -> bool:
        return bool(sum(lane.busy for lane in self._checks) + self._inventories.busy + self._watches.busy)

    def _take_watches(self, limit: int) -> list[Watched]:
        with self._run.adding() as session:
            due = take_due_watches(session, limit, lease=ALONE_SECONDS * 2)
        self._watch_seconds = CROWDED_SECONDS if len(due) == limit else ALONE_SECONDS
        return due

    def _take(self, take: Callable[..., list[Due]], limit: int) -> list[Due]:
        with self._run.adding() as session:
            return take(session, limit)

    def _check(self, due: Due) -> Found | None:
        seconds = self._rules.timeout
        return self._asking(due, seconds, check_limits(seconds), check, describe)

    def _observe(self, due: Due) -> Inventory | None:
        limit = self._rules.inventory_limit
        return self._asking(due, SECONDS, LIMITS, partial(observe, limit=limit), lambda _: {})

    def _watch(self, watched: Watched) -> News | None:
        seconds = min(self._watch_seconds, self._ends - time.monotonic())
        gathering = Gathering(watched, seconds, self._run.check)
        ask = partial(watch, watched=watched, gathering=gathering)
        failed = News(watched.version, None)
        return self._asking_until(watched, gathering.keep, WATCH_LIMITS, ask, lambda _: failed)

    def _asking(
        self,
        due: Due,
        seconds: float,
        limits: Limits,
        ask: Callable[[Cluster], Outcome],
        describe_error: Callable[[Any], Outcome],
    ) -> Outcome | None:
        """Return what a cluster answers within so many seconds; None when this sweep must end before that."""
        return self._asking_until(due, keep_within(seconds, self._run.check), limits, ask, describe_error)

    def _asking_until(
        self,
        due: Due | Watched,
        keep: Keep,
        limits: Limits,
        ask: Callable[[Cluster], Outcome],
        describe_error: Callable[[Any], Outcome],
    ) -> Outcome | None:
        try:
            access = open_access(self._tools.vault, due.cluster_id, due.credentials)
            cluster = RestCluster(access, rules=self._tools.clusters.addresses, limits=limits, keep=keep)
        except (ClusterError, Undecryptable) as error:
            return describe_error(error)
        try:
            return ask(cluster)
        except (Cancelled, HandedBack, LeaseLost):
            return None
        except ClusterError as error:
            return describe_error(error)
        finally:
            cluster.close()

    def _record(self) -> None:
        found: dict[UUID, Found] = {}
        for lane in self._checks:
            found |= {due.cluster_id: one for due, one in lane.collect()}
        if found:
            self._told["moved"] += self._record_checks(found)
            self._told["checked"] += len(found)
            self._told["failed"] += sum(not one.healthy for one in found.values())
        for due, observed in self._inventories.collect():
            with _unless_unwritable(due.cluster_id), self._run.adding() as session:
                record_inventory(session, due.cluster_id, observed, self._rules)
                self._told["observed"] += 1
        for watched, news in self._watches.collect():
            with _unless_unwritable(watched.cluster_id), self._run.adding() as session:
                changed = record_news(session, watched.cluster_id, watched.kind, news, self._rules)
                self._told["changed"] += changed or 0

    def _record_checks(self, found: Mapping[UUID, Found]) -> int:
        """Write what checks found, and return how many clusters have moved. What one of them says must not keep all
        others from being looked after: where the database does not take it, each is written by itself."""
        try:
            with self._run.adding() as session:
                return len(record_checks(session, found, self._rules))
        except DataError:
            moved = 0
            for cluster_id, one in found.items():
                with _unless_unwritable(cluster_id), self._run.adding() as session:
                    moved += len(record_checks(session, {cluster_id: one}, self._rules))
            return moved


@contextmanager
def _unless_unwritable(cluster_id: UUID) -> Iterator[None]:
    try:
        yield
    except DataError:
        log.exception("what a cluster says cannot be written", extra={"cluster_id": str(cluster_id)})
