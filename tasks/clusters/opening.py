"""Opening a cluster for a deed: its credentials are read and let go of again, no session stays open meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from app.clusters import reveal_access
from app.jobs import Run
from tasks.clusters.gateways.kubernetes import Cluster, Limits, RestCluster
from tasks.gateways.lookup import Keep
from tasks.tools import Tools


@contextmanager
def open_cluster(
    run: Run, tools: Tools, cluster_id: UUID, *, limits: Limits | None = None, keep: Keep | None = None
) -> Iterator[Cluster]:
    """Open a cluster by what is stored of it; each wait for it ends when this attempt must, unless `keep` says
    otherwise.

    Raises ClusterGone, Undecryptable; the calls raise ClusterErrors, and what `run.check` raises.
    """
    with run.reading() as session:
        access = reveal_access(session, tools.vault, cluster_id)
    cluster = RestCluster(access, rules=tools.clusters.addresses, limits=limits, keep=keep or run.check)
    try:
        yield cluster
    finally:
        cluster.close()
