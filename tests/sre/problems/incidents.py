"""Incidents of nodes and workloads, as scripts. They were written before they were first run."""

from __future__ import annotations

from tests.sre.problems.script import Incident, pod_of, together
from tests.support import accidents as go
from tests.support.scene import HASH

CPU = "0/4 nodes are available: 4 Insufficient cpu. preemption: 0/4 nodes are available."
LOST = (
    "0/4 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }, 3 Insufficient cpu."
)
NO_REGISTRY = 'failed to pull "reg.example.com/x:2": dial tcp 10.9.9.9:443: i/o timeout'
NO_TAG = 'Back-off pulling image "reg.example.com/api:v9": manifest unknown: manifest unknown'

NODES = (
    Incident(
        "a node is lost, its pods find no room, and services fail",
        (("NodeNotReady", "Node n2"),),
        {
            2: lambda stage, _: stage.strange('latency{namespace="shop",service="web"}'),
            4: lambda _, scene: go.lose_node(scene, "n2"),
            6: lambda stage, _: stage.fire("KubeNodeNotReady", node="n2"),
            7: lambda stage, _: stage.fire("ServiceUnavailable", "critical", namespace="shop", service="web"),
            9: together(
                lambda _, scene: go.evict(scene, "n2"), lambda _, scene: go.unplace(scene, "shop", "cart", 1, LOST)
            ),
            10: lambda _, scene: go.unplace(scene, "bank", "ledger", 1, LOST),
            16: lambda stage, _: stage.fire("KubePodNotReady", namespace="bank", pod=f"ledger-{HASH}-new0"),
        },
    ),
    Incident(
        "a zone is lost",
        (("NodeNotReady", None),),
        {
            5: lambda _, scene: go.lose_node(scene, "n3"),
            6: lambda _, scene: go.lose_node(scene, "n4"),
            8: together(
                lambda stage, _: stage.fire("TargetDown", instance="10.0.0.3:9100"),
                lambda stage, _: stage.fire("TargetDown", instance="10.0.0.4:9100"),
            ),
            11: together(*(lambda _, scene, one=one: go.evict(scene, one) for one in ("n3", "n4"))),
            12: lambda _, scene: go.unplace(scene, "shop", "web", 2, CPU),
            13: lambda _, scene: go.unplace(scene, "ops", "worker", 1, CPU),
            15: lambda stage, _: stage.fire("HighErrorRate", "critical", namespace="shop", service="web"),
        },
    ),
    Incident(
        "a node's disk is full",
        (("NodePressure", "Node n1"),),
        {
            1: lambda stage, _: stage.fire("NodeDiskSpaceFillingUp", instance="10.0.0.1:9100"),
            6: lambda _, scene: go.press(scene, "n1"),
            9: lambda _, scene: go.unplace(
                scene,
                "shop",
                "api",
                1,
                "0/4 nodes are available: 1 node(s) had taint disk-pressure, 3 Insufficient cpu",
            ),
            15: lambda stage, _: stage.fire("KubePodNotReady", namespace="shop", pod=f"api-{HASH}-new0"),
        },
    ),
    Incident(
        "the cluster's API server does not answer",
        (("ClusterUnreachable", None),),
        {
            5: lambda stage, _: setattr(stage, "is_lost", True),
            9: lambda stage, _: stage.fire("KubeAPIDown", "critical", job="apiserver"),
        },
    ),
)

WORKLOADS = (
    Incident(
        "memory leaks until containers are killed, and what calls them fails",
        (("OOMKilled", "Deployment shop/cart"),),
        {
            0: lambda stage, _: stage.strange(f'container_memory{{namespace="shop",pod="{pod_of("cart")}"}}'),
            8: lambda stage, _: stage.fire("MemoryNearLimit", namespace="shop", pod=pod_of("cart")),
            14: lambda _, scene: go.run_out_of_memory(scene, "shop", "cart"),
            19: lambda _, scene: go.crash(scene, "shop", "cart", reason="OOMKilled", code=137),
            21: lambda stage, _: stage.fire("HighErrorRate", "critical", namespace="shop", service="web"),
            24: lambda stage, _: stage.fire("KubePodCrashLooping", namespace="shop", pod=pod_of("cart")),
        },
    ),
    Incident(
        "a version is released whose image does not exist",
        (("ImagePullBackOff", "Deployment shop/api"),),
        {
            3: lambda _, scene: go.wait(scene, "shop", "api", "ImagePullBackOff", NO_TAG),
            13: lambda _, scene: go.stick(scene, "shop", "api"),
            18: lambda stage, _: stage.fire("KubeDeploymentReplicasMismatch", namespace="shop", deployment="api"),
            19: lambda stage, _: stage.fire("KubePodNotReady", namespace="shop", pod=pod_of("api")),
        },
    ),
    Incident(
        "the registry is away",
        (("ImagePullBackOff", None),),
        {
            2: lambda _, scene: go.wait(scene, "shop", "web", "ErrImagePull", NO_REGISTRY),
            5: lambda _, scene: go.wait(scene, "bank", "ledger", "ImagePullBackOff", NO_REGISTRY),
            8: lambda _, scene: go.wait(scene, "ops", "worker", "ImagePullBackOff", NO_REGISTRY),
            14: lambda stage, _: stage.fire("KubePodNotReady", namespace="bank", pod=pod_of("ledger")),
        },
    ),
    Incident(
        "a secret is missing",
        (("CannotStart", "Deployment bank/payments"),),
        {
            3: lambda _, scene: go.wait(
                scene, "bank", "payments", "CreateContainerConfigError", 'secret "stripe" not found'
            ),
            9: lambda stage, _: stage.fire("PaymentsDown", "critical", namespace="bank", service="payments"),
        },
    ),
    Incident(
        "a bad version crashes as it starts",
        (("CrashLoopBackOff", "Deployment shop/web"),),
        {
            4: lambda _, scene: go.crash(scene, "shop", "web", only=2),
            6: lambda stage, _: stage.strange('http_errors{namespace="shop",service="web"}', "critical"),
            9: lambda stage, _: stage.fire("HighErrorRate", "critical", namespace="shop", service="web"),
            14: lambda _, scene: go.stick(scene, "shop", "web"),
            19: lambda stage, _: stage.fire("KubePodCrashLooping", namespace="shop", pod=pod_of("web")),
        },
    ),
    Incident(
        "the database crashes, and what needs it after it",
        (("CrashLoopBackOff", "StatefulSet shop/db"),),
        {
            3: lambda _, scene: go.crash(scene, "shop", "db"),
            5: lambda _, scene: go.crash(scene, "shop", "api"),
            7: lambda stage, _: stage.fire("HighErrorRate", "critical", namespace="shop", service="web"),
            9: lambda _, scene: go.crash(scene, "shop", "cart"),
            12: lambda stage, _: stage.fire("KubePodCrashLooping", namespace="shop", pod="db-0"),
            13: lambda stage, _: stage.fire("KubePodCrashLooping", namespace="shop", pod=pod_of("api")),
        },
    ),
    Incident(
        "a worker crashes and runs in turns, and its alert flaps",
        (("CrashLoopBackOff", "Deployment ops/worker"),),
        {
            2: lambda _, scene: go.crash(scene, "ops", "worker"),
            5: lambda stage, _: stage.fire("QueueGrows", namespace="ops", service="worker"),
            8: together(lambda _, scene: go.recover(scene, "ops", "worker"), lambda stage, _: stage.calm("QueueGrows")),
            13: lambda _, scene: go.crash(scene, "ops", "worker"),
            14: lambda stage, _: stage.fire("QueueGrows", namespace="ops", service="worker"),
            20: together(
                lambda _, scene: go.recover(scene, "ops", "worker"), lambda stage, _: stage.calm("QueueGrows")
            ),
            25: lambda _, scene: go.crash(scene, "ops", "worker"),
        },
        lasts=36.0,
    ),
    Incident(
        "a volume cannot be mounted",
        (("PodPending", "Deployment ops/worker"),),
        {
            1: lambda _, scene: go.wait(scene, "ops", "worker", "ContainerCreating", ""),
            3: lambda _, scene: scene.event(
                "ops", "Pod", pod_of("worker"), "FailedMount", "Unable to attach or mount volumes: timed out"
            ),
            16: lambda stage, _: stage.fire("KubePodNotReady", namespace="ops", pod=pod_of("worker")),
        },
    ),
)
