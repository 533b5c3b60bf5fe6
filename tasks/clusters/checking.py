"""One check of a cluster: short, and it says where it failed."""

from __future__ import annotations

import time
from contextlib import suppress

from app.clusters import Found
from app.kernel.crypto import Undecryptable
from tasks.clusters.gateways.kubernetes import (
    AccessDenied,
    AnswerTooLarge,
    Cluster,
    ClusterError,
    ClusterRefused,
    Limits,
    NotAuthenticated,
    NotKubernetes,
    kinds,
)

_STEPS: dict[type[ClusterError], str] = {
    NotAuthenticated: "authentication",
    AccessDenied: "authorization",
    NotKubernetes: "protocol",
    AnswerTooLarge: "protocol",
    ClusterRefused: "connect",
}
# What a version and a page of one namespace may take.
_MOST_BYTES = 256 * 1024


def check_limits(seconds: float) -> Limits:
    """Return what a check of so many seconds may cost."""
    return Limits(connect=seconds * 0.8, first_byte=seconds, whole=seconds, max_bytes=_MOST_BYTES)


def check(cluster: Cluster) -> Found:
    """Ask for the version and for one namespace, which its store has to answer; no ClusterError is raised.

    A cluster that answers is well, also where its credentials may see neither: it knows them.
    """
    began = time.monotonic()
    version = None
    try:
        with suppress(AccessDenied):
            version = cluster.read_version().git_version
        with suppress(AccessDenied):
            cluster.list_page(kinds.NAMESPACE, limit=1)
    except ClusterError as error:
        return describe(error)
    return Found(healthy=True, latency_ms=round((time.monotonic() - began) * 1000, 1), version=version)


def describe(error: ClusterError | Undecryptable) -> Found:
    """Return how a check failed, by its error."""
    if isinstance(error, Undecryptable):
        return Found(healthy=False, step="credentials", code=error.code, message=error.message)
    step = error.details.get("step") or _STEPS.get(type(error), "answer")
    return Found(healthy=False, step=str(step), code=error.code, message=error.message)
