"""Removing a cluster: what was registered is forgotten, and nothing on it is touched."""

from __future__ import annotations

from uuid import UUID

from app.clusters import Cluster, ClusterInUse, RemovalRefused, forget_cluster
from app.jobs import Run


def remove(run: Run, cluster_id: UUID) -> None:
    """Delete the cluster's row, and end the job, in one transaction; raises RemovalRefused."""
    with run.recording() as (session, job):
        cluster = session.get(Cluster, cluster_id, with_for_update=True)
        if cluster is not None:
            try:
                forget_cluster(session, cluster)
            except ClusterInUse as error:
                raise RemovalRefused(error.message, **error.details) from error
        run.finish(session, job, {"removed": str(cluster_id)})
