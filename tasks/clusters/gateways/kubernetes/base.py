"""What a cluster is to the rest of the platform: objects as plain dicts, errors by what to do about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, Protocol

Object = dict[str, Any]
Propagation = Literal["Background", "Foreground", "Orphan"]
Channel = Literal["stdout", "stderr"]
PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object and where it is found: `Kind("apps/v1", "Deployment", "deployments")`."""

    api_version: str
    name: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; empty for the core one."""
        return self.api_version.rpartition("/")[0]


class Patch(StrEnum):
    """Ways to write a change; the values are media types. STRATEGIC is for built-in kinds only."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Page:
    """Some objects of a list; `more` gets the next page and is None on the last one. A watch from `version` tells
    everything that happened after this list."""

    items: tuple[Object, ...]
    version: str
    more: str | None = None
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a watch tells; of a BOOKMARK only `version`, to watch on from, means anything."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Object

    @property
    def version(self) -> str:
        """The resourceVersion to watch on from."""
        return str(self.object["metadata"]["resourceVersion"])


@dataclass(frozen=True, slots=True)
class Token:
    """A short-lived token of a service account; `seconds` is for how long it was given, whatever the time is there."""

    text: str = field(repr=False)
    seconds: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """The server's version; `git_version` reads like `v1.31.2`."""

    git_version: str
    platform: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cluster may cost: seconds to be connected, to the first byte, and for a whole answer; bytes of an answer,
    of one line of a stream, and of all answers together, if they are bounded; seconds for which a stream may be silent.
    """

    connect: float = 5.0
    first_byte: float = 15.0
    whole: float = 30.0
    max_bytes: int = 32 * 1024 * 1024
    max_line: int = 4 * 1024 * 1024
    max_total: float = float("inf")
    silence: float = 90.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command in a container ended: its exit code, or the reason why there is none."""

    exit_code: int | None
    reason: str = ""


class Execution(Protocol):
    """A command that runs in a container; `ended` is None until it has. What it started may live on after that."""

    ended: Ended | None

    def read(self, seconds: float) -> list[tuple[Channel, bytes]]:
        """Wait for output, at most so long, and return what has come; raises ClusterAway when the connection is lost,
        and the command then reads the end of its standard input."""
        ...

    def send(self, data: bytes) -> None:
        """Write to its standard input, for as long as that takes; raises ClusterAway."""
        ...


class Cluster(Protocol):
    """One API server, asked by one thread.

    Everything raises ClusterAway, AccessDenied, NotAuthenticated, ClusterRefused, NotKubernetes or AnswerTooLarge;
    `namespace` is given for namespaced kinds alone, and without it they are listed and watched in all namespaces.
    """

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        """Return an object; raises ObjectNotFound."""
        ...

    def list_page(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
        limit: int = PAGE,
        more: str | None = None,
    ) -> Page:
        """Return one page of a list, by label and field selectors; raises HistoryGone when `more` is too old."""
        ...

    def create(self, kind: Kind, body: Object, *, dry_run: bool = False) -> Object:
        """Make an object and return it as it was made; raises ObjectExists, ObjectInvalid, QuotaExceeded,
        NamespaceTerminating, or ObjectNotFound for the namespace."""
        ...

    def replace(self, kind: Kind, body: Object, *, dry_run: bool = False) -> Object:
        """Write a whole object; with its resourceVersion, raises StaleWrite when it has changed since."""
        ...

    def apply(self, kind: Kind, body: Object, *, manager: str, force: bool = False, dry_run: bool = False) -> Object:
        """Make or change what `body` says (server-side apply), as the manager of these fields; what the manager once
        said and no longer does is removed. Raises FieldConflict unless forced, and as `create` does."""
        ...

    def patch(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        change: Mapping[str, Any] | Sequence[Any],
        form: Patch = Patch.MERGE,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Change an object, or its `status`; raises ObjectNotFound, ObjectInvalid, StaleWrite."""
        ...

    def scale(self, kind: Kind, name: str, namespace: str, replicas: int) -> None:
        """Set how many replicas are wanted; raises ObjectNotFound."""
        ...

    def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Propagation = "Background",
        grace: int | None = None,
        uid: str | None = None,
    ) -> None:
        """Ask for an object's end; it may stay for its finalizers. Raises ObjectNotFound; with `uid`, StaleWrite when
        the object of this name is another one."""
        ...

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        since: str,
        seconds: int = 300,
        labels: str | None = None,
    ) -> Iterator[Change]:
        """Yield what happens after `since`, with bookmarks; ends when the server or `seconds` end it. Raises
        HistoryGone when `since` is too old, ClusterAway when the connection is lost."""
        ...

    def can_i(
        self, verb: str, kind: Kind, namespace: str | None = None, *, name: str = "", subresource: str = ""
    ) -> bool:
        """Tell whether this access may do something."""
        ...

    def request_token(
        self, service_account: str, namespace: str, *, seconds: int, audiences: Sequence[str] = ()
    ) -> Token:
        """Return a token of a service account; raises ObjectNotFound. Servers may give it another lifetime."""
        ...

    def find_kind(self, api_version: str, name: str) -> Kind:
        """Return a kind by what manifests call it; raises ObjectNotFound where the server does not have it."""
        ...

    def read_version(self) -> Version:
        """Return which Kubernetes this is."""
        ...

    def is_ready(self) -> bool:
        """Tell whether the server says that it is ready."""
        ...

    def follow_log(
        self, pod: str, namespace: str, *, container: str | None = None, follow: bool = True, tail: int | None = None
    ) -> Iterator[bytes]:
        """Yield a container's log line by line, until it ends or, without `follow`, until now; raises ObjectNotFound,
        or ObjectInvalid while the container has not begun."""
        ...

    def execute(
        self, pod: str, namespace: str, command: Sequence[str], *, container: str
    ) -> AbstractContextManager[Execution]:
        """Run a command in a container that runs, on a connection of its own; leaving the block ends its standard
        input, and no server promises more than that. Nothing secret belongs in `command`.

        Raises ObjectNotFound for the pod, ObjectInvalid for a container that cannot be used.
        """
        ...

    def close(self) -> None:
        """End the connection."""
        ...


def list_all(
    cluster: Cluster,
    kind: Kind,
    namespace: str | None = None,
    *,
    labels: str | None = None,
    fields: str | None = None,
) -> Iterator[Object]:
    """Yield all objects of a list, page by page; raises as `list_page` does."""
    more: str | None = None
    while True:
        page = cluster.list_page(kind, namespace, labels=labels, fields=fields, more=more)
        yield from page.items
        more = page.more
        if more is None:
            return
