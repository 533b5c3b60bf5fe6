"""Removing a cluster: what its provider made is taken away; what was only registered is forgotten, and nothing on it is
touched."""

from __future__ import annotations

from uuid import UUID

from app.clusters import Cluster, ClusterInUse, RemovalRefused, forget_cluster
from app.jobs import Run
from tasks.clusters.providing import take_away
from tasks.tools import Tools


def remove(run: Run, cluster_id: UUID, tools: Tools) -> None:
    """Delete the cluster's row, and end the job, in one transaction; raises RemovalRefused, and as providers do."""
    with run.reading() as session:
        found = session.get(Cluster, cluster_id)
    if found is not None and found.managed and not take_away(run, cluster_id, tools):
        return
    with run.recording() as (session, job):
        cluster = session.get(Cluster, cluster_id, with_for_update=True)
        if cluster is not None:
            try:
                forget_cluster(session, cluster)
            except ClusterInUse as error:
                raise RemovalRefused(error.message, **error.details) from error
        run.finish(session, job, {"removed": str(cluster_id)})
