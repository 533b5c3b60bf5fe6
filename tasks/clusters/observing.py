"""Taking a cluster's inventory: each kind listed page by page, up to a limit. Nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.clusters import Observed, Seen
from tasks.clusters.gateways.kubernetes import (
    PAGE,
    AccessDenied,
    Cluster,
    ClusterAway,
    ClusterError,
    Kind,
    Limits,
    NotAuthenticated,
    ObjectNotFound,
    kinds,
)
from tasks.clusters.opening import MOST_BYTES
from tasks.clusters.summaries import SUMMARIES

SECONDS: Final = 20.0
LIMITS: Final = Limits(connect=5.0, first_byte=10.0, whole=SECONDS, max_bytes=16 * 1024 * 1024, max_total=MOST_BYTES)

LONGEST_VERSION: Final = 100

KINDS: Final[Mapping[str, Kind]] = {
    "nodes": kinds.NODE,
    "namespaces": kinds.NAMESPACE,
    "pods": kinds.POD,
    "services": kinds.SERVICE,
    "deployments": kinds.DEPLOYMENT,
    "events": kinds.EVENT,
    "jobs": kinds.JOB,
    "persistentvolumeclaims": kinds.PERSISTENT_VOLUME_CLAIM,
    "horizontalpodautoscalers": kinds.AUTOSCALER,
    "resourcequotas": kinds.RESOURCE_QUOTA,
    "certificates": kinds.CERTIFICATE,
}


def observe(cluster: Cluster, limit: int) -> dict[str, Observed]:
    """Return what there is of each kind, up to `limit` objects; a kind that cannot be listed says why.

    A cluster that has gone away keeps the kinds that are left as they were: none of them is returned. Of a kind that it
    does not know there is nothing.
    """
    observed: dict[str, Observed] = {}
    for name, kind in KINDS.items():
        try:
            observed[name] = _list(cluster, name, kind, limit)
        except (ClusterAway, NotAuthenticated):
            break
        except ObjectNotFound:
            observed[name] = Observed()
        except AccessDenied as error:
            observed[name] = Observed(error=f"The cluster's credentials may not list them: {error.message}")
        except ClusterError as error:
            observed[name] = Observed(error=error.message)
    return observed


def _list(cluster: Cluster, name: str, kind: Kind, limit: int) -> Observed:
    summarize, found, more, version = SUMMARIES[name], dict[tuple[str, str], Seen](), None, None
    while True:
        page = cluster.list_page(kind, limit=min(PAGE, limit - len(found)), more=more)
        for item in page.items:
            seen = summarize(item)
            if seen.name:
                found[seen.key] = seen
        # Later pages show what was when the first was asked for, unless the server has forgotten that meanwhile.
        more, version = page.more, version or page.version[:LONGEST_VERSION] or None
        if more is None or len(found) >= limit or not page.items:
            items = list(found.values())[:limit]
            return Observed(items, truncated=more is not None or len(found) > limit, version=version)
