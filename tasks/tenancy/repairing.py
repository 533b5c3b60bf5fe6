"""Repairing one object: what is missing is made, what was changed is set right, what must not be there goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from app.jobs import Run
from app.tenancy import Repair, WantedSpace, names
from tasks.clusters.gateways.kubernetes import (
    Cluster,
    Kind,
    NamespaceTerminating,
    Object,
    ObjectNotFound,
    StaleWrite,
    kinds,
)
from tasks.tenancy.differences import find_differences, find_foreign_changes, find_managers
from tasks.tenancy.isolation import find_loosened
from tasks.tenancy.objects import find, merged, put, put_labels, remove
from tasks.tenancy.seen import Place, Seen, place_of

_FIELDS = 20
# What bears rights or shuts out is said whole, and compared so: no host fills it in.
_SAID_WHOLE: Final = (kinds.ROLE, kinds.ROLE_BINDING, kinds.NETWORK_POLICY)


def apply(cluster: Cluster, kind: Kind, body: Object) -> None:
    """Take back what is ours of an object, and leave what its host or others have added; but not what they have granted
    its pods, for which the object is replaced."""
    live = cluster.apply(kind, body, manager=names.MANAGER, force=True)
    if find_loosened(body, live):
        cluster.replace(kind, merged(body, live))


@dataclass(frozen=True, slots=True)
class Due:
    """An object that a space has to have, or must not have: how it is compared with the one that is there, and put."""

    space: WantedSpace
    kind: Kind
    body: Object
    compare: Callable[[Object, Object], list[str]] = find_differences
    put: Callable[[Cluster, Kind, Object], object] = put

    @property
    def place(self) -> Place:
        """Where it is."""
        return place_of(self.kind, self.body)

    def is_amiss(self, seen: Seen) -> bool:
        """Tell whether it is missing or not as it has to be."""
        live = seen.get(self.kind, self.body)
        return live is None or bool(self.compare(self.body, live))

    def find(self, cluster: Cluster) -> Object | None:
        """Return the one that is there now, or None."""
        meta = self.body["metadata"]
        return find(cluster, self.kind, meta["name"], meta.get("namespace"))


def due_namespace(space: WantedSpace, kind: Kind, body: Object) -> Due:
    """Return a namespace, of which the labels alone are ours."""
    return Due(space, kind, body, put=lambda cluster, _kind, wanted: put_labels(cluster, wanted))


def due_of_host(space: WantedSpace, kind: Kind, body: Object) -> Due:
    """Return an object of a control plane, of which its host fills in much that is not said."""
    if kind in _SAID_WHOLE:
        return Due(space, kind, body)
    return Due(space, kind, body, compare=find_foreign_changes, put=apply)


def repair(run: Run, cluster: Cluster, due: Due) -> Iterator[Repair]:
    """Put one object as it has to be, unless it is so by now; yields what was done."""
    run.check()
    live = due.find(cluster)
    differences = [] if live is None else due.compare(due.body, live)
    if live is not None and not differences:
        return
    try:
        due.put(cluster, due.kind, due.body)
    except (NamespaceTerminating, ObjectNotFound, StaleWrite):
        # Its namespace has just gone, or somebody writes now: the next look sees.
        return
    managers = tuple(find_managers(live, differences)) if live else ()
    yield _tell(due, "missing" if live is None else "changed", tuple(differences[:_FIELDS]), managers)


def remove_unwanted(run: Run, cluster: Cluster, due: Due) -> Iterator[Repair]:
    """Take one object away that must not be there; yields what was done."""
    run.check()
    if due.find(cluster) is not None:
        remove(cluster, due.kind, due.body["metadata"]["name"], due.body["metadata"]["namespace"])
        yield _tell(due, "unwanted")


def _tell(due: Due, what: str, differences: tuple[str, ...] = (), managers: tuple[str, ...] = ()) -> Repair:
    space, meta = due.space, due.body["metadata"]
    whose = (space.organization_id, space.workspace_id, space.project_id)
    place = (meta.get("namespace") or meta["name"], due.kind.name, meta["name"])
    return Repair(*whose, *place, what, differences, managers)
