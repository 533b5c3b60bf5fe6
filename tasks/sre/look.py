"""Looking for problems: each place is read and written by itself, so that one that cannot be read keeps no other from
being looked at."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.jobs import Job, Run
from app.kernel.clock import database_now
from app.kernel.errors import Refusal
from app.sre import Look, clusters_to_look_at, keep_look, look_at_cluster, look_at_place, places_without_cluster

log = logging.getLogger(__name__)

AT_ONCE: Final = 200
TOO_LATE: Final = timedelta(seconds=90)


def look(run: Run) -> dict[str, Any]:
    """Look at all clusters, and at what lies on none; returns how many, and what became of problems. One that comes
    late leaves it to the next."""
    with run.reading() as session:
        late = session.scalar(select(database_now() - Job.scheduled_for).where(Job.id == run.claim.job_id))
    if late is not None and late > TOO_LATE:
        return {"late": True}
    told: Counter[str] = Counter(looked=0, opened=0, reopened=0, merged=0, resolved=0)
    for cluster_id in _find_clusters(run):
        told += _look_at(run, partial(look_at_cluster, cluster_id=cluster_id))
    with run.reading() as session:
        places = places_without_cluster(session)
    for place in places:
        told += _look_at(run, partial(look_at_place, place=place))
    return {name: told[name] for name in ("looked", "opened", "reopened", "merged", "resolved")}


def _find_clusters(run: Run) -> Iterator[UUID]:
    last: UUID | None = None
    while True:
        run.check()
        with run.reading() as session:
            clusters, last = clusters_to_look_at(session, last, AT_ONCE)
        yield from clusters
        if last is None:
            return


def _look_at(run: Run, read: Callable[[Session], Look | None]) -> Counter[str]:
    run.check()
    try:
        with run.reading() as session:
            found = read(session)
        if found is None:
            return Counter()
        with run.adding() as session:
            return keep_look(session, found) + Counter(looked=1)
    except (DBAPIError, Refusal) as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        # Something impossible was said, the cluster went meanwhile, or there is more to read than may be, or for long.
        log.warning("a place cannot be looked at", extra={"why": str(error)[:500]})
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # What nobody foresaw that a cluster could say is a fault of ours, and must not cost the others theirs.
        log.exception("a place cannot be looked at")
    return Counter()
