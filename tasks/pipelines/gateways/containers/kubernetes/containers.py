"""`Containers` as pods of clusters: each stage has one, in the namespace of its workspace."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

from app.kernel.ids import new_id
from tasks.clusters.gateways.kubernetes import Cluster, ClusterError, Limits, Object, ObjectNotFound, kinds, list_all
from tasks.pipelines.gateways.containers.base import (
    ATTEMPT,
    INSTALLATION,
    JOB,
    Check,
    ContainerRefused,
    ImageRefused,
    Left,
    Say,
    Shape,
    Site,
    StageNeeds,
    StageSandbox,
)
from tasks.pipelines.gateways.containers.images import ImageRules
from tasks.pipelines.gateways.containers.kubernetes.files import Files
from tasks.pipelines.gateways.containers.kubernetes.opening import create, wait_until_running
from tasks.pipelines.gateways.containers.kubernetes.place import WORKSPACE, Pod, PodRules, connect
from tasks.pipelines.gateways.containers.kubernetes.pods import (
    GRACE_SECONDS,
    boxes_of,
    outside_policy,
    pod_body,
)
from tasks.pipelines.gateways.containers.kubernetes.services import Services
from tasks.pipelines.gateways.containers.kubernetes.step import NAME, PodSandbox

log = logging.getLogger(__name__)

_QUICKLY: Final = Limits(connect=2.0, first_byte=3.0, whole=4.0)
"""A cluster that hangs must not hold a cancel up."""
_DISK_BYTES: Final = 16 * 1024**3
"""Of a workspace without a limit of its own."""
_OVERSHOOT: Final = 512 * 1024**2
"""What a step may write beyond its limit before that is seen, and its artifacts are to be kept all the same."""


class PodContainers:
    """Pods on the clusters where workspaces have their place; the stage's needs say which that is."""

    workspace = WORKSPACE
    on_clusters = True

    def __init__(self, *, installation: str, rules: ImageRules, pods: PodRules) -> None:
        self._installation = installation
        self._rules = rules
        self._pods = pods
        self.facts: Mapping[str, str] = {"engine": NAME}

    @contextmanager
    def open_stage(self, needs: StageNeeds, check: Check, say: Say) -> Iterator[StageSandbox]:
        """Make the pod, wait for it and its services, and give the sandbox; see Containers.open_stage."""
        if needs.site is None or needs.site.namespace is None:
            raise ContainerRefused("The workspace has no place on a cluster, where its containers could run.")
        admitted = self._admitted(needs)
        pod = Pod(needs.site, needs.site.namespace, f"headrace-{new_id()}", self._pods)
        boxes = boxes_of(admitted)
        cluster = pod.connect(check)
        try:
            body = pod_body(pod.name, admitted, boxes, self._pods, self._rules.pull)
            self._begin(cluster, pod, body, needs, check, say)
            files = Files(pod, needs.workspace, (needs.service_limits.disk_bytes or _DISK_BYTES) + _OVERSHOOT)
            sandbox = PodSandbox(pod, needs, self._rules, files, check, self.facts, boxes)
            yield sandbox
            sandbox.bring_back()
        finally:
            cluster.close()
            self._end(pod)

    def find_left(self, sites: Iterable[Site]) -> Iterable[Left]:
        """Return the pods that carry our labels; see Containers.find_left."""
        left: list[Left] = []
        for site in sites:
            cluster = connect(site, self._pods)
            try:
                wanted = f"{INSTALLATION}={self._installation}"
                left += [one for body in list_all(cluster, kinds.POD, labels=wanted) if (one := _left(body, site))]
            except ClusterError as error:
                log.warning("pods of a cluster cannot be swept now", extra={"error": type(error).__name__})
            finally:
                cluster.close()
        return left

    def remove(self, left: Left) -> None:
        """Take it away; one that was asked to go already, and has not, is given no more time."""
        if left.site is None or left.site.namespace is None:
            return
        cluster = connect(left.site, self._pods)
        try:
            place = (kinds.POD, left.name, left.site.namespace)
            with suppress(ObjectNotFound):
                is_going = bool(cluster.get(*place)["metadata"].get("deletionTimestamp"))
                cluster.delete(*place, grace=0 if is_going else GRACE_SECONDS)
        except ClusterError as error:
            log.warning("a pod cannot be removed now", extra={"error": type(error).__name__})
        finally:
            cluster.close()

    def _admitted(self, needs: StageNeeds) -> StageNeeds:
        shapes = tuple(shape for one in needs.shapes if (shape := self._admit(one)))
        services = tuple(replace(one, image=self._rules.admit(one.image)) for one in needs.services)
        return replace(needs, shapes=shapes, services=services)

    def _admit(self, shape: Shape) -> Shape | None:
        """A shape whose image may not be used has no container; its step is told why when it is run."""
        try:
            return replace(shape, image=self._rules.admit(shape.image))
        except ImageRefused:
            return None

    def _begin(self, cluster: Cluster, pod: Pod, body: Object, needs: StageNeeds, check: Check, say: Say) -> None:
        seconds = self._pods.start_seconds
        made = create(cluster, body, seconds, check, say)
        if needs.network:
            cluster.create(kinds.NETWORK_POLICY, outside_policy(body["metadata"], made, needs))
        wait_until_running(cluster, pod, len(body["spec"]["containers"]), seconds, check, say)
        Services(cluster, pod, check, say).wait_for(needs.services)

    def _end(self, pod: Pod) -> None:
        """Ask for the pod's end. The policy goes with it; what a cluster that is away keeps is swept up later."""
        cluster = connect(pod.site, self._pods, limits=_QUICKLY)
        try:
            with suppress(ObjectNotFound):
                cluster.delete(kinds.POD, pod.name, pod.namespace, grace=GRACE_SECONDS)
        except ClusterError as error:
            log.warning("a pod could not be deleted and is left to be swept", extra={"error": type(error).__name__})
        finally:
            cluster.close()


def _left(body: Object, site: Site) -> Left | None:
    meta = body["metadata"]
    labels = meta.get("labels") or {}
    attempt = str(labels.get(ATTEMPT, ""))
    if not attempt.isdecimal() or JOB not in labels:
        return None
    there = replace(site, namespace=str(meta.get("namespace", "")))
    return Left("pods", str(meta["name"]), str(labels[JOB]), int(attempt), there)
