"""What is on a cluster: all objects of ours, a kind at a time, however many workspaces have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.jobs import Run
from tasks.clusters.gateways.kubernetes import Cluster, Kind, Object, kinds
from tasks.tenancy.objects import ours_of

Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """All objects of ours on a cluster."""

    objects: dict[Place, Object]

    def get(self, kind: Kind, body: Object) -> Object | None:
        """Return the one that is named as another."""
        return self.objects.get(place_of(kind, body))

    def of(self, kind: Kind) -> Iterator[Object]:
        """Yield those of a kind."""
        return (live for (name, _, _), live in self.objects.items() if name == kind.name)

    def has_namespace(self, name: str) -> bool:
        """Tell whether a namespace is there."""
        return (kinds.NAMESPACE.name, "", name) in self.objects


def see(run: Run, cluster: Cluster, some: Iterable[Kind]) -> Seen:
    """Ask a cluster for all objects of ours of some kinds."""
    objects: dict[Place, Object] = {}
    for kind in some:
        run.check()
        for live in ours_of(cluster, kind):
            objects[place_of(kind, live)] = live
    return Seen(objects)


def place_of(kind: Kind, body: Object) -> Place:
    """Return the kind, namespace and name of an object."""
    return kind.name, body["metadata"].get("namespace") or "", body["metadata"]["name"]
