"""Making the change that a recommendation is about: tried first, and only where the object still says what it did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from app.jobs import Run
from app.sre import Change, EvidenceChanged, agrees, read_change, record_outcome
from tasks.clusters.containers import describe_parts
from tasks.clusters.fields import at, number
from tasks.clusters.gateways.kubernetes import Cluster, Kind, Object, ObjectInvalid, Patch, kinds
from tasks.clusters.opening import open_cluster
from tasks.tools import Tools

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind for kind in (kinds.DEPLOYMENT, kinds.STATEFUL_SET, kinds.DAEMON_SET, kinds.AUTOSCALER)
}


def change(run: Run, apply_id: UUID, tools: Tools) -> None:
    """Make or try a change, and end the job with what became of it; raises ApplyGone, ApplyForbidden, AdviceDismissed,
    EvidenceChanged, and as the cluster does."""
    with run.recording() as (session, _job):
        asked = read_change(session, apply_id)
    run.progress(phase="trying")
    with open_cluster(run, tools, asked.cluster_id) as cluster:
        outcome = make_change(cluster, asked)
    with run.recording() as (session, job):
        record_outcome(session, apply_id, outcome)
        run.finish(session, job, outcome)


def make_change(cluster: Cluster, asked: Change) -> dict[str, Any]:
    """Change an object, or only try it; returns what became of it, field by field.

    One that is so already, for a worker that was lost may have made it so, is left alone.
    """
    about, kind = asked.about, KINDS.get(asked.about.kind)
    if kind is None:
        raise ObjectInvalid(f"A {about.kind} cannot be changed.")
    before = cluster.get(kind, about.name, about.namespace)
    # The version keeps anything from being written over that comes in between.
    said = dict(asked.patch) | {"metadata": {"resourceVersion": at(before, "metadata", "resourceVersion")}}
    named: dict[str, Any] = {"name": about.name, "namespace": about.namespace, "form": Patch.STRATEGIC}
    after = cluster.patch(kind, change=said, dry_run=True, **named)
    changes = list(find_changes(asked.patch, before, after))
    if changes and not agrees(_known(asked, before), asked.facts):
        raise EvidenceChanged(changes=changes)
    if changes and not asked.dry_run:
        after = cluster.patch(kind, change=said, **named)
    told = "configured" if changes else "unchanged"
    return {"outcome": told, "dry_run": asked.dry_run, "changes": changes, "facts": read_facts(after, about.container)}


def _known(asked: Change, body: Object) -> dict[str, Any]:
    """Return what an object says of what the recommendation rests on."""
    facts = read_facts(body, asked.about.container)
    return {name: facts.get(name) for name in asked.facts}


def read_facts(body: Object, container: str) -> dict[str, Any]:
    """Return what an object's author has said: of a container of its pods, of how many, or of how many at most."""
    if "maxReplicas" in (body.get("spec") or {}):
        return {"most": number(at(body, "spec", "maxReplicas"))}
    if not container:
        return {"replicas": number(at(body, "spec", "replicas"))}
    parts = describe_parts({"spec": at(body, "spec", "template", "spec")})
    part = next((one for one in parts if one["name"] == container), None)
    if part is None:
        raise EvidenceChanged(f"There is no container {container} any more.")
    return {"requests": part["requests"], "limits": part["limits"], "probes": sorted(part["probes"])}


def find_changes(patch: Any, before: Any, after: Any, path: str = "") -> Iterator[dict[str, Any]]:
    """Yield the fields that a patch names and that are others after it, with both values."""
    if isinstance(patch, Mapping):
        for name, inner in patch.items():
            was, became = (one.get(name) if isinstance(one, Mapping) else None for one in (before, after))
            yield from find_changes(inner, was, became, f"{path}.{name}" if path else name)
    elif isinstance(patch, list) and all(isinstance(one, Mapping) and "name" in one for one in patch):
        for item in patch:
            was, became = (_named(one, item["name"]) for one in (before, after))
            yield from find_changes(item, was, became, f"{path}[{item['name']}]")
    elif before != after:
        yield {"field": path, "before": before, "after": after}


def _named(items: Any, name: str) -> Any:
    found = items if isinstance(items, list) else ()
    return next((one for one in found if isinstance(one, Mapping) and one.get("name") == name), None)
