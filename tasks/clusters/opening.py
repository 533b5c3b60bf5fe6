"""Opening a cluster for a deed: its credentials are read and let go of again, no session stays open meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final
from uuid import UUID

from app.clusters import Access, reveal_access
from app.jobs import Run
from tasks.clusters.gateways.kubernetes import Cluster, ClusterAway, Limits, RestCluster
from tasks.gateways.lookup import Keep
from tasks.tools import Tools

MOST_BYTES: Final = 256 * 1024 * 1024
# One that answers slowly, or without end, does not hold a worker that others wait for: its job takes another turn.
TURN_SECONDS: Final = 300.0


def keep_within(seconds: float, keep: Keep) -> Keep:
    """Return a `keep` that also ends all that takes longer than so many seconds, counted from now."""
    ends = time.monotonic() + seconds

    def keep_time() -> None:
        keep()
        if time.monotonic() > ends:
            raise ClusterAway(f"The server did not answer within {seconds:g} s.", step="answer")

    return keep_time


@contextmanager
def open_cluster(
    run: Run, tools: Tools, cluster_id: UUID, *, limits: Limits | None = None, seconds: float = TURN_SECONDS
) -> Iterator[Cluster]:
    """Open a cluster by what is stored of it, for so many seconds; each wait for it ends when this attempt must.

    Raises ClusterGone, Undecryptable; the calls raise ClusterErrors, and what `run.check` raises.
    """
    with run.reading() as session:
        access = reveal_access(session, tools.vault, cluster_id)
    with open_access_to(run, tools, access, seconds, limits) as cluster:
        yield cluster


@contextmanager
def open_access_to(
    run: Run, tools: Tools, access: Access, seconds: float, limits: Limits | None = None
) -> Iterator[Cluster]:
    """Open what an access leads to, in the same way."""
    keep = keep_within(seconds, run.check)
    bounded = replace(limits or Limits(), max_total=MOST_BYTES)
    cluster = RestCluster(access, rules=tools.clusters.addresses, limits=bounded, keep=keep)
    try:
        yield cluster
    finally:
        cluster.close()
