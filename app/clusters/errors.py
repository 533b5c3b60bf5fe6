"""Why something with clusters is refused, or cannot be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from app.kernel.errors import AlreadyExists, Conflict, Permanent


class IllegalMove(Conflict):
    """The cluster is not in a state that allows this."""


class ClusterNotReady(Conflict):
    """The cluster cannot be used now."""


class ClusterInUse(Conflict):
    """Something sits on this cluster; delete it or move it first."""

    code = "RESOURCE_IN_USE"


class ClusterNameTaken(AlreadyExists):
    """This organization has a cluster of this name already."""


class ClusterGone(Permanent):
    """There is no such cluster any more, or nothing that opens it."""

    code = "CLUSTER_NOT_FOUND"


class ApplyGone(Permanent):
    """The cluster, or who has asked for it, is gone."""

    code = "CLUSTER_NOT_FOUND"


class ProvisioningOverdue(Permanent):
    """The provider has not made the cluster in time."""

    code = "PROVISIONING_TIMED_OUT"


class RemovalRefused(Permanent):
    """Something has come to sit on the cluster while it was to be removed."""

    code = "RESOURCE_IN_USE"


@contextmanager
def refuse_taken_name() -> Iterator[None]:
    """Raise ClusterNameTaken where the database refuses a name."""
    try:
        yield
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) != "uq_clusters_organization_id_name":
            raise
        raise ClusterNameTaken(field="name") from error
