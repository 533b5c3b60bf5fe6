"""Pulling: sources are asked some at a time, each in a thread and for a short time; what they tell is written by this
thread alone. A source that is dead costs the others a place in one batch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from app.clusters import open_access
from app.jobs import Cancelled, HandedBack, Job, LeaseLost, Run
from app.kernel.clock import database_now
from app.kernel.crypto import Undecryptable
from app.monitoring import (
    KUBERNETES,
    Pull,
    PullFailed,
    Received,
    make_cluster_sources,
    open_source,
    record_failure,
    record_pull,
    take_due_pulls,
    take_pulls_of,
)
from tasks.clusters.gateways.kubernetes import ClusterError, Limits, RestCluster
from tasks.gateways.lookup import Keep
from tasks.monitoring.gateways import KubernetesSource, PrometheusSource, Source, SourceAway, SourceError, TooMuch
from tasks.tools import Tools

log = logging.getLogger(__name__)

THREADS: Final = 8
PULL_SECONDS: Final = 15.0
SWEEP_SECONDS: Final = 40.0
TOO_LATE: Final = timedelta(seconds=90)
MOST_SHOWN: Final = 100
LIMITS: Final = Limits(
    connect=5.0, first_byte=10.0, whole=PULL_SECONDS, max_bytes=16 * 1024 * 1024, max_total=64 * 1024 * 1024
)

Taking = Callable[[Session, int], Sequence[Pull]]
Outcome = Received | PullFailed | None


def pull_due(run: Run, tools: Tools, seconds: float = SWEEP_SECONDS) -> dict[str, Any]:
    """Pull from what is due until nothing is, or for so many seconds; one that comes late does nothing."""
    with run.reading() as session:
        late = session.scalar(select(database_now() - Job.scheduled_for).where(Job.id == run.claim.job_id))
    if late is not None and late > TOO_LATE:
        return {"late": True}
    with run.adding() as session:
        make_cluster_sources(session)
    told = list(_pull_all(run, tools, lambda session, limit: take_due_pulls(session, limit), seconds))
    return {"sources": len(told), "samples": _count(told), "failed": sum("code" in one for one in told)}


def collect(run: Run, place_id: UUID, tools: Tools) -> dict[str, Any]:
    """Pull once from each source of a place, and say what each told."""
    with run.reading() as session:
        began = session.execute(select(database_now())).scalar_one().timestamp()
    taking = partial(_take_of, place_id, began)
    told = list(_pull_all(run, tools, taking, float("inf")))
    failed = [one for one in told if "code" in one]
    return {"sources": len(told), "samples": _count(told), "failed": len(failed), "failures": failed[:MOST_SHOWN]}


def _take_of(place_id: UUID, began: float, session: Session, limit: int) -> Sequence[Pull]:
    return take_pulls_of(session, place_id, began, limit)


def _count(told: Sequence[dict[str, Any]]) -> int:
    return sum(one.get("samples", 0) for one in told)


def _pull_all(run: Run, tools: Tools, take: Taking, seconds: float) -> Iterator[dict[str, Any]]:
    ends = time.monotonic() + seconds
    with ThreadPoolExecutor(THREADS, thread_name_prefix="source") as pool:
        while time.monotonic() < ends:
            run.check()
            with run.adding() as session:
                pulls = take(session, THREADS)
            if not pulls:
                return
            outcomes = pool.map(partial(_ask, tools, run.check), pulls)
            for pull, outcome in zip(pulls, outcomes, strict=True):
                if outcome is not None:
                    yield _record(run, tools, pull, outcome)


def _ask(tools: Tools, check: Keep, pull: Pull) -> Outcome:
    """Return what a source tells, or why it tells nothing; None when this work must end before that."""
    try:
        with _open(tools, pull, _keep_within(PULL_SECONDS, check)) as source:
            return source.read(pull.after, pull.until)
    except (Cancelled, HandedBack, LeaseLost):
        return None
    except SourceError as error:
        return PullFailed(error.code, error.message, isinstance(error, TooMuch) or "slow" in error.details)
    except (ClusterError, Undecryptable) as error:
        return PullFailed(error.code, error.message)
    except Exception:
        log.exception("a source could not be asked", extra={"source_id": str(pull.source_id)})
        return PullFailed("INTERNAL_ERROR", "The source could not be asked.")


@contextmanager
def _open(tools: Tools, pull: Pull, keep: Keep) -> Iterator[Source]:
    source: Source
    if pull.kind == KUBERNETES and pull.place.cluster_id is not None:
        access = open_access(tools.vault, pull.place.cluster_id, pull.sealed or b"")
        source = KubernetesSource(RestCluster(access, rules=tools.clusters.addresses, limits=LIMITS, keep=keep))
    else:
        rules, found = tools.metrics.addresses, open_source(tools.vault, pull)
        source = PrometheusSource(found, pull.asked, step=pull.interval, rules=rules, keep=keep)
    try:
        yield source
    finally:
        source.close()


def _keep_within(seconds: float, check: Keep) -> Keep:
    """Return a `keep` that also ends what takes longer than so many seconds in all, however many answers that are."""
    ends = time.monotonic() + seconds

    def keep() -> None:
        check()
        if time.monotonic() > ends:
            raise SourceAway(f"The source did not answer within {seconds:g} s.", slow=True)

    return keep


def _record(run: Run, tools: Tools, pull: Pull, outcome: Received | PullFailed) -> dict[str, Any]:
    """Write what came of a pull, and say it in few words. What the database does not take is the source's failure."""
    told: dict[str, Any] = {"source_id": str(pull.source_id)}
    try:
        if isinstance(outcome, Received):
            with run.adding() as session:
                written = record_pull(session, pull, outcome, tools.metrics.series)
            return told | {"samples": written.accepted if written else 0}
    except DataError:
        log.exception("what a source tells cannot be written", extra=told)
        outcome = PullFailed("SOURCE_UNREADABLE", "What the source tells cannot be written.")
    with run.adding() as session:
        record_failure(session, pull, outcome)
    return told | {"code": outcome.code, "message": outcome.message}
