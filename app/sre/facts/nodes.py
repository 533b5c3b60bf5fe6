"""Facts of nodes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from app.clusters import NODES, Seen
from app.kernel.clock import read_time
from app.sre.facts.base import CRITICAL, WARNING, Fact, Thing, View

# A node that joins is not ready for some seconds, and one may miss a beat.
JOINING: Final = timedelta(minutes=5)
PATIENCE: Final = timedelta(seconds=30)


def find_node_facts(view: View) -> Iterator[Fact]:
    """Yield nodes that are not ready, and those under pressure. One that was closed for pods before is serviced."""
    for node in view.of(NODES):
        if node.status != "Ready":
            yield from _find_lost(view, node)
        else:
            yield from _find_pressures(node)


def _find_lost(view: View, node: Seen) -> Iterator[Fact]:
    since, age = read_time(node.data.get("since")), view.age(node.created_at)
    is_joining = age is not None and age < JOINING
    if is_joining or (since is not None and view.now - since < PATIENCE):
        return
    serviced = bool(node.data.get("unschedulable"))
    why = node.data.get("message") or node.data.get("reason") or "nobody says why"
    yield Fact(
        kind="NodeNotReady",
        about=Thing("Node", "", node.name),
        severity=WARNING if serviced else CRITICAL,
        message=f"Node {node.name} is not ready{' (it is closed for pods)' if serviced else ''}: {why}",
        since=since,
        touches=_touches(node),
        trait=node.data.get("zone") or "",
        evidence={"status": node.status, "reason": node.data.get("reason"), "message": node.data.get("message")},
    )


def _find_pressures(node: Seen) -> Iterator[Fact]:
    pressures = node.data.get("pressures") or ()
    if not pressures:
        return
    names = [one["type"].removesuffix("Pressure").lower() for one in pressures]
    began = [moment for one in pressures if (moment := read_time(one.get("since")))]
    yield Fact(
        kind="NodePressure",
        about=Thing("Node", "", node.name),
        severity=WARNING,
        message=f"Node {node.name} runs out of {', '.join(names)}",
        since=min(began, default=None),
        touches=_touches(node),
        trait=",".join(sorted(names)),
        evidence={"pressures": list(pressures)},
    )


def _touches(node: Seen) -> frozenset[Thing]:
    return frozenset({Thing("Node", "", node.name)})
