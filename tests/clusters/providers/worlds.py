"""Providers with what they ask: AWS by moto, a management cluster in memory, and a program that says it is k3d."""

from __future__ import annotations

import base64
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
from botocore.config import Config

from app.clusters import AccessRules, write_kubeconfig
from app.clusters.models import key_of
from app.kernel.ids import new_id
from tasks.clusters.gateways.kubernetes import Object, RestCluster, kinds
from tasks.clusters.gateways.providers import CapiProvider, EksProvider, LocalProvider, Order, Provider
from tasks.clusters.gateways.providers.capi import CLUSTER
from tests.clusters.contract.world import LOOPBACK
from tests.support.aws import moto
from tests.support.kubernetes import ApiServer, serving

RULES = AccessRules(LOOPBACK)
ROLE = "arn:aws:iam::123456789012:role/eks"
EKS_WISHES: dict[str, Any] = {
    "region": "eu-central-1",
    "role_arn": ROLE,
    "node_role_arn": ROLE,
    "subnet_ids": ["subnet-1", "subnet-2"],
    "node_groups": [{"name": "main", "instance_type": "t3.large", "min": 1, "max": 3, "desired": 2}],
}
CAPI_WISHES: dict[str, Any] = {"cluster_class": "small", "version": "v1.31.0", "worker_class": "default"}
KEYS = {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "canary-of-aws"}
_NAMES: dict[str, Any] = {f"aws_{name}": value for name, value in KEYS.items()}


@dataclass
class ProviderWorld:
    """A provider; `progress` lets pass what takes minutes, `count` says how many clusters there are."""

    provider: Provider
    parameters: dict[str, Any]
    credentials: dict[str, str]
    progress: Callable[[], None]
    count: Callable[[], int]

    def order(self, **changed: Any) -> Order:
        """A cluster that nobody has asked for before."""
        cluster_id = new_id()
        return Order(cluster_id, key_of(cluster_id), self.parameters | changed, self.credentials)


@contextmanager
def running_moto() -> Iterator[str]:
    """Run AWS; yields its address."""
    with moto() as url:
        _warm_up(url)
        yield url


def _warm_up(url: str) -> None:
    """Let moto load what it needs, for which no client of ours would wait."""
    patient = Config(read_timeout=100, retries={"max_attempts": 0})
    client = boto3.client("eks", "eu-central-1", endpoint_url=url, config=patient, **_NAMES)
    client.create_cluster(name="warm", roleArn=ROLE, resourcesVpcConfig={"subnetIds": ["subnet-1"]})
    group = {"clusterName": "warm", "nodegroupName": "warm"}
    client.create_nodegroup(**group, subnets=["subnet-1"], nodeRole=ROLE)
    client.delete_nodegroup(**group)
    client.delete_cluster(name="warm")
    client.close()


@contextmanager
def eks_world(url: str) -> Iterator[ProviderWorld]:
    """EKS on moto, where everything is ready at once."""
    client = boto3.client("eks", "eu-central-1", endpoint_url=url, **_NAMES)
    yield ProviderWorld(
        EksProvider(url), EKS_WISHES, KEYS, lambda: None, lambda: len(client.list_clusters()["clusters"])
    )
    client.close()


@dataclass
class Management:
    """A management cluster whose controllers are the test."""

    server: ApiServer
    cluster: RestCluster

    def progress(self) -> None:
        """Let every cluster that was asked for be made, or go."""
        for body in self.cluster.list_page(CLUSTER).items:
            meta = body["metadata"]
            if "deletionTimestamp" in meta:
                self.release(body)
            else:
                self.set_status(body, "Provisioned", [{"type": "Ready", "status": "True"}])
                self.write_kubeconfig(meta["name"], meta["namespace"])

    def set_status(self, body: Object, phase: str, conditions: list[Object], **more: Any) -> None:
        """Write how far a cluster is, as its controllers would."""
        meta = body["metadata"]
        status = {"phase": phase, "conditions": conditions, "observedGeneration": meta.get("generation"), **more}
        self.cluster.patch(CLUSTER, meta["name"], meta["namespace"], change={"status": status}, subresource="status")

    def write_kubeconfig(self, name: str, namespace: str) -> None:
        """Write what opens a cluster: all of them are this server itself."""
        text = write_kubeconfig(name, self.server.access())
        data = {"value": base64.b64encode(text.encode()).decode()}
        body = {"metadata": {"name": f"{name}-kubeconfig", "namespace": namespace}, "data": data}
        self.cluster.apply(kinds.SECRET, body, manager="capi")

    def hold(self, body: Object) -> None:
        """Let a cluster have a finalizer, as Cluster API gives it."""
        meta = body["metadata"]
        change = {"metadata": {"finalizers": ["cluster.cluster.x-k8s.io"]}}
        self.cluster.patch(CLUSTER, meta["name"], meta["namespace"], change=change)

    def release(self, body: Object) -> None:
        """Let it go."""
        meta = body["metadata"]
        self.cluster.patch(CLUSTER, meta["name"], meta["namespace"], change={"metadata": {"finalizers": None}})


@contextmanager
def managing(server: ApiServer) -> Iterator[Management]:
    """Let a server know the kinds of Cluster API."""
    cluster = RestCluster(server.access(), rules=LOOPBACK)
    group, _, version = CLUSTER.api_version.partition("/")
    named = {"plural": CLUSTER.plural, "singular": "cluster", "kind": CLUSTER.name, "listKind": "ClusterList"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    served = {"name": version, "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}}
    spec = {"group": group, "scope": "Namespaced", "names": named, "versions": [served]}
    definition = {"metadata": {"name": f"clusters.{group}"}, "spec": spec}
    cluster.apply(kinds.CUSTOM_RESOURCE_DEFINITION, definition, manager="tests")
    yield Management(server, cluster)
    cluster.close()


@contextmanager
def capi_world() -> Iterator[ProviderWorld]:
    """Cluster API on a server in memory."""
    with serving() as server, managing(server) as management:

        @contextmanager
        def open_cluster(_: UUID) -> Iterator[RestCluster]:
            yield management.cluster

        provider = CapiProvider(open_cluster, RULES)
        wishes = CAPI_WISHES | {"management_cluster_id": str(new_id())}
        count = lambda: len(management.cluster.list_page(CLUSTER).items)  # noqa: E731
        yield ProviderWorld(provider, wishes, {}, management.progress, count)


FAKE = """#!{python}
import pathlib, sys
folder = pathlib.Path({folder!r})
words = sys.argv[1:]
if words[:2] == ["cluster", "list"]:
    for one in folder.glob("*.made"):
        print(one.stem, "1/1", "0/0", "true")
elif words[:2] == ["cluster", "create"]:
    (folder / f"{{words[2]}}.made").touch()
elif words[:2] == ["kubeconfig", "get"]:
    print((folder / "kubeconfig").read_text())
elif words[:2] == ["cluster", "delete"]:
    (folder / f"{{words[2]}}.made").unlink()
else:
    sys.exit(f"unknown: {{words}}")
"""


@contextmanager
def local_world(folder: Path) -> Iterator[ProviderWorld]:
    """A program called k3d, whose clusters are all one server in memory."""
    with serving() as server:
        program = folder / "k3d"
        program.write_text(FAKE.format(python=sys.executable, folder=str(folder)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        (folder / "kubeconfig").write_text(write_kubeconfig("k3d", server.access()))
        provider = LocalProvider(RULES, lambda: None, path=str(folder))
        yield ProviderWorld(provider, {}, {}, lambda: None, lambda: len(list(folder.glob("*.made"))))


def with_keys(order: Order, **changed: str) -> Order:
    """The same order by other credentials."""
    return replace(order, credentials={**order.credentials, **changed})
