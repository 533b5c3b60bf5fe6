"""Where the contract suite runs: on the server in memory, and on a real API server where there is one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.clusters import Access
from app.kernel.addresses import AddressRules
from tasks.clusters.gateways.kubernetes import ClusterError, Object, ObjectNotFound, RestCluster, kinds
from tests.support.kubernetes import serving

LOOPBACK = AddressRules(allow_loopback=True)
PATIENCE = 60.0


@dataclass
class World:
    """A server: its administrator's cluster, and `bob`, who may do nothing."""

    admin: RestCluster
    bob: RestCluster
    access: Access
    is_real: bool

    def open(self, token: str) -> RestCluster:
        """The cluster for whom a token is."""
        return RestCluster(
            Access(self.access.server, ca=self.access.ca, token=token, verify=self.access.verify), rules=LOOPBACK
        )

    def new_namespace(self) -> str:
        """A namespace that is ready for pods."""
        name = f"t-{uuid4().hex[:12]}"
        self.admin.create(kinds.NAMESPACE, {"metadata": {"name": name}})
        eventually(lambda: refusal(lambda: self.admin.create(kinds.POD, pod(name), dry_run=True)) is None)
        return name

    def has(self, kind: Any, name: str, namespace: str | None = None) -> bool:
        """Tell whether there is such an object."""
        try:
            return bool(self.admin.get(kind, name, namespace))
        except ObjectNotFound:
            return False


def eventually(is_so: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Ask until it is so, and return what it said."""
    ends = time.monotonic() + seconds
    while not (said := is_so()):
        assert time.monotonic() < ends, f"not so within {seconds:.0f} s"
        time.sleep(0.05)
    return said


def refusal(act: Callable[[], Any]) -> ClusterError | None:
    """Return how an act is refused, or None."""
    try:
        act()
    except ClusterError as error:
        return error
    return None


@contextmanager
def in_memory() -> Iterator[World]:
    """A world on the project's own server."""
    with serving() as server:
        access = server.access()
        bob = RestCluster(server.access(server.token_for("bob")), rules=LOOPBACK)
        yield from _opened(World(RestCluster(access, rules=LOOPBACK), bob, access, is_real=False))


def find_starter() -> list[str]:
    """The command that starts a real API server: KUBE_UP, or our own with the programs in KUBE_BIN; none without."""
    if os.environ.get("KUBE_UP"):
        return [os.environ["KUBE_UP"]]
    return [sys.executable, "-m", "tests.support.kubernetes.real"] if os.environ.get("KUBE_BIN") else []


@contextmanager
def really(folder: Path) -> Iterator[World]:
    """A world on a real API server."""
    started = subprocess.Popen([*find_starter(), str(folder)], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    try:
        told = json.loads(started.stdout.readline())
        access = Access(told["server"], token=told["admin_token"], verify=False)
        bob = Access(told["server"], token=told["user_token"], verify=False)
        opened = World(RestCluster(access, rules=LOOPBACK), RestCluster(bob, rules=LOOPBACK), access, is_real=True)
        yield from _opened(opened)
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(30)
        started.stdout.close()


def _opened(world: World) -> Iterator[World]:
    yield world
    world.admin.close()
    world.bob.close()


def config_map(namespace: str, name: str = "c", data: dict[str, Any] | None = None, **meta: Any) -> Object:
    """A config map."""
    body: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, **meta}}
    return body | {"data": data or {}}


def pod(namespace: str, name: str = "p", resources: Object | None = None, **meta: Any) -> Object:
    """A pod of one container."""
    container = {"name": "main", "image": "example/image"} | ({"resources": resources} if resources else {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, **meta},
        "spec": {"containers": [container]},
    }


def workload(kind: str, namespace: str, name: str = "w", replicas: int = 1, **template: Any) -> Object:
    """A Deployment or a StatefulSet."""
    labels = {"app": name}
    spec: Object = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "main", "image": "example/image", **template}]},
        },
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def quota(namespace: str, **hard: str) -> Object:
    """A quota; underscores in names are dots."""
    named = {name.replace("_", "."): value for name, value in hard.items()}
    return {"metadata": {"name": "q", "namespace": namespace}, "spec": {"hard": named}}


def binding(place: str, role: str, **subject: str) -> Object:
    """A role binding to a cluster role."""
    if subject["kind"] != "ServiceAccount":
        subject["apiGroup"] = "rbac.authorization.k8s.io"
    return {
        "metadata": {"name": f"b-{role}", "namespace": place},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }
