"""Why a Kubernetes API server did not do what it was asked, by what the caller must do about it.

ClusterError
├── Transient   ClusterAway: not reached, not in time, overloaded, broken · NamespaceTerminating
│               StaleWrite: read again, then write · HistoryGone: list again, then watch
└── Permanent   ObjectNotFound · ObjectExists · ObjectInvalid · FieldConflict · QuotaExceeded
                AccessDenied · NotAuthenticated · ClusterRefused · NotKubernetes · AnswerTooLarge

Messages may quote the server, shortened and without control characters; they never hold what we sent to open it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.kernel.errors import FieldError, HeadraceError, Permanent, Transient


class ClusterError(HeadraceError):
    """The cluster did not do what it was asked."""


class ClusterAway(ClusterError, Transient):
    """The cluster's API server does not answer."""

    code = "CLUSTER_UNREACHABLE"


class NamespaceTerminating(ClusterError, Transient):
    """The namespace is being deleted; nothing can be made in it until it is gone."""

    code = "NAMESPACE_TERMINATING"


class StaleWrite(ClusterError, Transient):
    """The object has changed since it was read."""

    code = "OBJECT_CHANGED"


class HistoryGone(ClusterError, Transient):
    """The server no longer remembers that far back: list again."""

    code = "HISTORY_GONE"


class ObjectNotFound(ClusterError, Permanent):
    """The cluster has no such object."""

    code = "OBJECT_NOT_FOUND"


class ObjectExists(ClusterError, Permanent):
    """The cluster has such an object already."""

    code = "OBJECT_EXISTS"


class ObjectInvalid(ClusterError, Permanent):
    """The cluster does not take the object as it is."""

    code = "OBJECT_INVALID"

    def __init__(self, message: str | None = None, *, causes: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.causes = tuple(causes)


@dataclass(frozen=True, slots=True)
class FieldOwner:
    """A field that somebody else keeps: its path (`.spec.replicas`) and the name of its manager."""

    field: str
    manager: str


class FieldConflict(ClusterError, Permanent):
    """Others keep some of these fields with other values."""

    code = "FIELD_CONFLICT"

    def __init__(self, message: str | None = None, *, conflicts: Sequence[FieldOwner] = ()) -> None:
        super().__init__(message)
        self.conflicts = tuple(conflicts)


class QuotaExceeded(ClusterError, Permanent):
    """The namespace's quota does not allow it."""

    code = "CLUSTER_QUOTA_EXCEEDED"


class AccessDenied(ClusterError, Permanent):
    """The cluster's access does not allow this."""

    code = "CLUSTER_ACCESS_DENIED"


class NotAuthenticated(ClusterError, Permanent):
    """The cluster does not know the token or the certificate."""

    code = "CLUSTER_NOT_AUTHENTICATED"


class ClusterRefused(ClusterError, Permanent):
    """This server may not be connected to, or cannot be trusted."""

    code = "CLUSTER_REFUSED"


class NotKubernetes(ClusterError, Permanent):
    """The server does not answer as a Kubernetes API server does."""

    code = "NOT_KUBERNETES"


class AnswerTooLarge(ClusterError, Permanent):
    """The server's answer is larger than it may be."""

    code = "CLUSTER_ANSWER_TOO_LARGE"
