"""Pods that really run: their containers are processes in namespaces, and `exec` runs commands among them.

It is no kubelet: images are names for this machine's own programs, all folders of a pod are on this machine's disk
whatever their volume says, nothing is restarted, and the network is this machine's or none. Limits of memory and
processors are those of control groups, where there are some.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.pipelines.gateways.sandbox import remove_tree
from tasks.pipelines.gateways.sandbox.base import SYSTEM_PATH
from tasks.pipelines.gateways.sandbox.cgroups import ControlGroups
from tests.support.containers.fake_container import FakeContainer
from tests.support.containers.image import PROGRAMS, make_root
from tests.support.kubernetes.quantities import read_quantity

Object = dict[str, Any]
_IDLE = ["/bin/sh", "-c", "exec sleep 3600"]


@dataclass
class Kubelet:
    """The one node, `n1`. `images` are those that can be had; `labels` are the node's; `specs` are those of all pods
    that were begun; `make_root` and `path` are what all images hold and where they find programs."""

    folder: Path
    groups: ControlGroups | None = None
    images: set[str] = field(default_factory=set)
    labels: dict[str, str] = field(default_factory=dict)
    specs: list[Object] = field(default_factory=list)
    make_root: Callable[[Path], None] = make_root
    path: str = SYSTEM_PATH
    _pods: dict[str, dict[str, FakeContainer]] = field(default_factory=dict)
    _names: dict[tuple[str, str], str] = field(default_factory=dict)

    def run(self, pod: Object) -> tuple[str | None, Object]:
        """Return a pod's node and its status, begun where it was not."""
        lacking = [f"{key}={value}" for key, value in (pod["spec"].get("nodeSelector") or {}).items()]
        if any(one not in {f"{key}={value}" for key, value in self.labels.items()} for one in lacking):
            said = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
            unplaced = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
            return None, {"phase": "Pending", "conditions": [unplaced]}
        if any(one["image"] not in self.images for one in pod["spec"]["containers"]):
            return "n1", self._status(pod, {})
        uid = pod["metadata"]["uid"]
        if uid not in self._pods:
            self._begin(uid, pod)
        return "n1", self._status(pod, self._pods[uid])

    def keep(self, uids: set[str]) -> None:
        """End the pods that are not among these."""
        for uid in set(self._pods) - uids:
            for container in self._pods.pop(uid).values():
                container.remove()
            remove_tree(self.folder / uid)
            self._names = {place: one for place, one in self._names.items() if one != uid}

    def find(self, namespace: str, pod: str, container: str) -> FakeContainer | None:
        """Return a container."""
        return self._pods.get(self._names.get((namespace, pod), ""), {}).get(container)

    def execute(self, container: FakeContainer, command: list[str]) -> subprocess.Popen[bytes]:
        """Run a command in a container."""
        return container.execute(command)

    def stop(self) -> None:
        """End all pods."""
        self.keep(set())

    def _begin(self, uid: str, pod: Object) -> None:
        spec, meta = pod["spec"], pod["metadata"]
        self.specs.append(pod)
        self._names[meta["namespace"], meta["name"]] = uid
        place = self.folder / uid
        volumes = {}
        for volume in spec.get("volumes") or ():
            volumes[volume["name"]] = place / "volumes" / volume["name"]
            volumes[volume["name"]].mkdir(parents=True)
            volumes[volume["name"]].chmod(0o777)
        self._pods[uid] = {}
        for one in spec["containers"]:
            self._pods[uid][one["name"]] = self._make(place / one["name"], spec, one, volumes)

    def _make(self, root: Path, spec: Object, one: Object, volumes: dict[str, Path]) -> FakeContainer:
        self.make_root(root)
        mounts = [_bind(str(PROGRAMS), str(PROGRAMS), read_only=True)]
        for mount in one.get("volumeMounts") or ():
            (root / mount["mountPath"].lstrip("/")).mkdir(parents=True, exist_ok=True)
            source = str(volumes[mount["name"]])
            mounts.append(_bind(source, mount["mountPath"], read_only=mount.get("readOnly", False)))
        security = (spec.get("securityContext") or {}) | (one.get("securityContext") or {})
        limits = (one.get("resources") or {}).get("limits") or {}
        host: Object = {"Mounts": mounts, "ReadonlyRootfs": security.get("readOnlyRootFilesystem", False)}
        if "memory" in limits:
            host["Memory"] = int(read_quantity(limits["memory"]))
        if "cpu" in limits:
            host["NanoCpus"] = int(float(read_quantity(limits["cpu"])) * 1e9)
        uid = security.get("runAsUser", 0)
        command = one.get("command") or (() if one.get("args") else _IDLE)
        body = {
            "Entrypoint": [_expand(word) for word in (*command, *(one.get("args") or ()))],
            "Env": [f"PATH={self.path}"]
            + [f"{pair['name']}={_expand(pair['value'])}" for pair in one.get("env") or ()],
            "User": f"{uid}:{uid}",
            "WorkingDir": one.get("workingDir") or "/",
            "HostConfig": host,
        }
        container = FakeContainer(body, root, self.groups)
        try:
            container.start()
        except FileNotFoundError:
            container.status, container.exit_code = "exited", 127
        return container

    def _status(self, pod: Object, containers: dict[str, FakeContainer]) -> Object:
        told = [self._tell(one, containers.get(one["name"])) for one in pod["spec"]["containers"]]
        phase = "Running" if any("running" in one["state"] for one in told) else "Failed"
        phase = phase if containers else "Pending"
        placed = {"type": "PodScheduled", "status": "True"}
        return {"phase": phase, "podIP": "10.0.0.1", "conditions": [placed], "containerStatuses": told}

    def _tell(self, one: Object, container: FakeContainer | None) -> Object:
        if container is None and one["image"] in self.images:
            state: Object = {"waiting": {"reason": "ContainerCreating"}}
        elif container is None:
            said = f'Back-off pulling image "{one["image"]}"'
            state = {"waiting": {"reason": "ImagePullBackOff", "message": said}}
        elif container.status == "exited":
            reason = "OOMKilled" if container.killed_for_memory else "Error" if container.exit_code else "Completed"
            state = {"terminated": {"exitCode": container.exit_code, "reason": reason}}
        else:
            state = {"running": {"startedAt": "2024-01-01T00:00:00Z"}}
        ready = "running" in state
        return {"name": one["name"], "image": one["image"], "ready": ready, "restartCount": 0, "state": state}


def _expand(text: str) -> str:
    """What Kubernetes makes of a text in which no variable is named."""
    return text.replace("$$", "$")


def _bind(source: str, target: str, *, read_only: bool) -> Object:
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only}
