"""Incidents of limits and jobs, and others, as scripts. They were written before they were first run."""

from __future__ import annotations

from tests.sre.problems.script import Incident, pod_of
from tests.support import accidents as go
from tests.support.scene import HASH

MEMORY = "0/4 nodes are available: 1 node(s) had untolerated taint, 3 Insufficient memory."
NO_TAG = 'Back-off pulling image "reg.example.com/api:v9": manifest unknown: manifest unknown'

LIMITS = (
    Incident(
        "the database's volume fills up",
        (("VolumeNearlyFull", "PersistentVolumeClaim shop/data-db-0"),),
        {
            1: lambda stage, _: setattr(stage, "used", 0.97),
            10: lambda _, scene: go.crash(scene, "shop", "db"),
            13: lambda stage, _: stage.fire("HighErrorRate", "critical", namespace="shop", service="api"),
        },
    ),
    Incident(
        "a quota refuses more pods",
        (("QuotaNearlyUsed", "ResourceQuota ops/team"),),
        {
            4: lambda _, scene: go.refuse(scene, "ops", "worker", "team"),
            14: lambda _, scene: go.stick(scene, "ops", "worker"),
            19: lambda stage, _: stage.fire("KubeDeploymentReplicasMismatch", namespace="ops", deployment="worker"),
        },
    ),
    Incident(
        "more comes than the autoscaler may give",
        (("HPAAtLimit", "Deployment shop/web"),),
        {
            1: lambda stage, _: stage.strange('requests{namespace="shop",service="web"}', "critical"),
            2: lambda _, scene: scene.scaler("shop", "web", current=10, most=10, limited_since=2.0),
            5: lambda stage, _: stage.throttled.update({"shop/web": 0.4}),
            9: lambda stage, _: stage.fire("HighLatency", namespace="shop", service="web"),
        },
    ),
    Incident(
        "a processor limit is too low",
        (("CPUThrottling", "Deployment bank/ledger"),),
        {
            0: lambda stage, _: stage.throttled.update({"bank/ledger": 0.6}),
            8: lambda stage, _: stage.fire("HighLatency", namespace="bank", deployment="ledger"),
        },
    ),
    Incident(
        "no node has memory for what is added",
        (("PodPending", None),),
        {
            4: lambda _, scene: go.unplace(scene, "bank", "payments", 3, MEMORY),
            7: lambda _, scene: go.unplace(scene, "shop", "api", 1, MEMORY),
            20: lambda stage, _: stage.fire("KubePodNotReady", namespace="bank", pod=f"payments-{HASH}-new0"),
        },
    ),
    Incident(
        "a certificate is not renewed",
        (("CertificateNearExpiry", "Certificate shop/web-tls"),),
        {
            2: lambda _, scene: scene.certificate("shop", "web-tls", -85 * 1440, 9, "False", "ACME order failed: 429"),
            13: lambda stage, _: stage.fire("TLSHandshakeErrors", "critical", namespace="shop", service="web"),
        },
    ),
)

JOBS = (
    Incident(
        "a nightly job fails",
        (("FailedJob", "CronJob ops/nightly"),),
        {
            5: lambda _, scene: scene.job("nightly-101", 5, "Failed"),
            20: lambda stage, _: stage.fire("KubeJobFailed", namespace="ops", job_name="nightly-101"),
        },
    ),
    Incident(
        "a nightly job needs more memory than it may have",
        (("OOMKilled", "CronJob ops/nightly"),),
        {
            3: lambda _, scene: scene.job("nightly-102", 3, "Failed"),
            3.5: lambda _, scene: go.end_pod_of_job(scene, "ops", "nightly-102", "OOMKilled", 137),
            18: lambda stage, _: stage.fire("KubeJobFailed", namespace="ops", job_name="nightly-102"),
        },
    ),
)

OTHERS = (
    Incident(
        "two things at once that have nothing to do with each other",
        (("ImagePullBackOff", "Deployment bank/payments"), ("OOMKilled", "Deployment shop/cart")),
        {
            4: lambda _, scene: go.wait(scene, "bank", "payments", "ImagePullBackOff", NO_TAG),
            5: lambda _, scene: go.run_out_of_memory(scene, "shop", "cart"),
            8: lambda stage, _: stage.fire("KubePodNotReady", namespace="bank", pod=pod_of("payments")),
            11: lambda _, scene: go.crash(scene, "shop", "cart", reason="OOMKilled", code=137),
            13: lambda stage, _: stage.fire("KubePodCrashLooping", namespace="shop", pod=pod_of("cart")),
        },
    ),
    Incident(
        "something outside is slow, and nothing of the cluster is wrong",
        (("HighLatency", None),),
        {
            2: lambda stage, _: stage.fire("HighLatency", namespace="bank", service="payments"),
            4: lambda stage, _: stage.strange('errors{namespace="bank",service="payments"}'),
            5: lambda stage, _: stage.fire("HighErrorRate", "critical", namespace="bank", service="payments"),
        },
    ),
)
