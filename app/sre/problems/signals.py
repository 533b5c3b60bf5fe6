"""Signals: facts, alerts and anomalies in one form, with the things that each is about. No IO."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from app.clusters import NODES, Seen
from app.sre.facts import KINDS, Fact, Thing, Workloads
from app.sre.facts.base import SYMPTOM

FACT: Final = "fact"
ALERT: Final = "alert"
ANOMALY: Final = "anomaly"
SOURCES: Final = (FACT, ALERT, ANOMALY)

_NAMED: Final[Mapping[str, str]] = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "cronjob": "CronJob",
    "persistentvolumeclaim": "PersistentVolumeClaim",
    "resourcequota": "ResourceQuota",
    "certificate": "Certificate",
}
_OF_DEPLOYMENT: Final = re.compile(r"(.+)-[a-f0-9]{6,10}-[a-z0-9]{5}")
_OF_SET: Final = re.compile(r"(.+)-\d{1,5}")
_LABEL: Final = re.compile(r'([A-Za-z0-9_./-]+)=("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that is, or was until `ended_at`, the matter. `key` names it over all looks; `places` are all things
    that it is about, lies on or reaches, and `trait` what tells it from others of its kind. One that does not `open`
    belongs to a problem and makes none."""

    key: str
    source: str
    kind: str
    about: Thing | None
    severity: str
    message: str
    start: datetime
    places: frozenset[Thing] = frozenset()
    trait: str = ""
    opens: bool = True
    ended_at: datetime | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    namespaces: frozenset[str] = field(init=False, repr=False, compare=False)
    began: float = field(init=False, repr=False, compare=False)
    until: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Asked for with each other signal that there is: its namespaces, and its times in seconds.
        object.__setattr__(self, "namespaces", frozenset(one.namespace for one in self.places if one.namespace))
        object.__setattr__(self, "began", self.start.timestamp())
        object.__setattr__(self, "until", math.inf if self.ended_at is None else self.ended_at.timestamp())

    @property
    def rank(self) -> int:
        """How near it is to what goes wrong first; 0 is nearest."""
        return KINDS[self.kind].rank if self.source == FACT and self.kind in KINDS else SYMPTOM

    @property
    def order(self) -> tuple[int, datetime, str]:
        """By what a cause comes before its effects, so that none explains itself."""
        return (self.rank, self.start, self.key)


class Topology:
    """What names of labels mean on a cluster."""

    def __init__(self, objects: Mapping[str, Sequence[Seen]]) -> None:
        self.workloads = Workloads(objects)
        self._nodes: dict[str, Thing] = {}
        for node in objects.get(NODES, ()):
            for address in (node.name, *(node.data.get("addresses") or ())):
                self._nodes[address] = Thing("Node", "", node.name)

    def read(self, labels: Mapping[str, str]) -> list[Thing]:
        """Return the things that labels name, the one first that they are about."""
        found = list(dict.fromkeys(self._read(labels)))
        lying = [place for thing in found for place in sorted(self.workloads.lying_on(thing))]
        return list(dict.fromkeys([*found, *lying]))

    def _read(self, labels: Mapping[str, str]) -> Iterator[Thing]:
        namespace = labels.get("namespace", "")
        yield from self._read_workloads(namespace, labels)
        if name := labels.get("node"):
            yield Thing("Node", "", name)
        host = labels.get("instance", "").rpartition(":")[0] or labels.get("instance", "")
        if host and "pod" not in labels:
            yield self._nodes.get(host, Thing("Host", "", host))
        if namespace:
            yield Thing("Namespace", namespace, namespace)

    def _read_workloads(self, namespace: str, labels: Mapping[str, str]) -> Iterator[Thing]:
        if pod := labels.get("pod"):
            yield self.workloads.named(namespace, pod) or guess_workload(namespace, pod)
            yield Thing("Pod", namespace, pod)
        for label, kind in _NAMED.items():
            if name := labels.get(label):
                yield Thing(kind, namespace, name)
        if name := labels.get("job_name"):
            yield self.workloads.of_job(namespace, name)
            yield Thing("Job", namespace, name)
        if (name := labels.get("service")) and "pod" not in labels:
            yield from self.workloads.served_by(namespace, name)
            yield Thing("Service", namespace, name)


def guess_workload(namespace: str, pod: str) -> Thing:
    """Return whose pod this was, by the form of its name: pods that are gone tell it no other way."""
    if found := _OF_DEPLOYMENT.fullmatch(pod):
        return Thing("Deployment", namespace, found[1])
    if found := _OF_SET.fullmatch(pod):
        return Thing("StatefulSet", namespace, found[1])
    return Thing("Pod", namespace, pod)


def labels_in(text: str) -> dict[str, str]:
    """Return the labels in the text of a series."""
    return {name: json.loads(value) for name, value in _LABEL.findall(text.partition("{")[2])}


def signal_of_fact(fact: Fact, now: datetime) -> Signal:
    """Return a fact as a signal; one that nobody knows the beginning of begins now."""
    return Signal(
        key=f"{FACT}:{fact.kind}:{fact.about}",
        source=FACT,
        kind=fact.kind,
        about=fact.about,
        severity=fact.severity,
        message=fact.message,
        start=min(fact.since or now, now),
        places=frozenset({fact.about, *fact.touches}),
        trait=fact.trait,
        evidence=fact.evidence,
    )
