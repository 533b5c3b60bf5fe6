"""`Containers` of a Docker or podman engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tasks.pipelines.gateways.containers.base import (
    ATTEMPT,
    INSTALLATION,
    JOB,
    Check,
    Left,
    Say,
    Site,
    StageNeeds,
    StageSandbox,
)
from tasks.pipelines.gateways.containers.docker.bodies import WORKSPACE
from tasks.pipelines.gateways.containers.docker.engine import Engine, NotThere
from tasks.pipelines.gateways.containers.docker.fetching import Fetching
from tasks.pipelines.gateways.containers.docker.networks import Networks
from tasks.pipelines.gateways.containers.docker.place import Place
from tasks.pipelines.gateways.containers.docker.services import Services
from tasks.pipelines.gateways.containers.docker.step import StepSandbox
from tasks.pipelines.gateways.containers.images import ImageRules
from tasks.pipelines.gateways.sandbox.scratch import remove_abandoned_scratch


class DockerContainers:
    """One engine, at `unix:///path` or `tcp://host:port`. What it is, is asked when it is first needed: a worker starts
    without it. `scratch` must be a folder that the engine sees."""

    workspace = WORKSPACE
    on_clusters = False

    def __init__(
        self,
        address: str,
        *,
        installation: str,
        rules: ImageRules,
        workspaces: Path,
        seen_workspaces: Path | None = None,
        scratch: Path | None = None,
        step_uid: int | None = None,
        extra_read_only: Sequence[Path] = (),
    ) -> None:
        self._address = address
        self._installation = installation
        self._rules = rules
        self._folders = (workspaces, seen_workspaces, scratch)
        self._step_uid = step_uid
        self._extra = extra_read_only
        self._place: Place | None = None
        self.facts: Mapping[str, str] = {"engine": address}
        remove_abandoned_scratch(scratch)

    @contextmanager
    def open_stage(self, needs: StageNeeds, check: Check, say: Say) -> Iterator[StageSandbox]:
        """Start the services and give the sandbox; see Containers.open_stage."""
        place = self._find()
        networks, fetching = Networks(place, needs.owner), Fetching(place, self._rules)
        services = Services(networks, fetching, check, say)
        try:
            if needs.services:
                services.start(needs)
            yield StepSandbox(place.facts.name, self.facts, place, needs.owner, networks, fetching)
        finally:
            services.remove()
            networks.remove()

    def find_left(self, _sites: Iterable[Site] = ()) -> Iterable[Left]:
        """Return what carries our labels; see Containers.find_left."""
        engine = self._find().connect()
        try:
            label = f"{INSTALLATION}={self._installation}"
            containers = [_left("containers", one) for one in engine.list_labelled("containers", label)]
            networks = [_left("networks", one) for one in engine.list_labelled("networks", label)]
            return [one for one in (*containers, *networks) if one is not None]
        finally:
            engine.close()

    def remove(self, left: Left) -> None:
        """Take it away; see Containers.remove."""
        engine = self._find().connect()
        try:
            with suppress(NotThere):
                query: dict[str, str | int] = {"force": 1, "v": 1} if left.kind == "containers" else {}
                engine.call("DELETE", f"/{left.kind}/{left.name}", **query)
        finally:
            engine.close()

    def _find(self) -> Place:
        if self._place is None:
            engine = Engine(self._address)
            try:
                facts = engine.read_facts()
            finally:
                engine.close()
            workspaces, seen, scratch = self._folders
            self._place = Place(self._address, facts, workspaces, seen, scratch, self._step_uid, self._extra)
            self.facts = {**self.facts, "sandbox": f"{facts.name} {facts.version}", "rootless": str(facts.rootless)}
        return self._place


def _left(kind: str, found: Mapping[str, Any]) -> Left | None:
    labels = found.get("Labels") or {}
    attempt = str(labels.get(ATTEMPT, ""))
    if not attempt.isdecimal() or JOB not in labels:
        return None
    return Left(kind, str(found.get("Id") or found.get("ID") or ""), str(labels[JOB]), int(attempt))
