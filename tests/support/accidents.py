"""What goes wrong on a cluster in motion, as Kubernetes would show it."""

from __future__ import annotations

from tests.support.scene import HASH, Object, Scene


def lose_node(scene: Scene, name: str, why: str = "Kubelet stopped posting node status.") -> None:
    """Let a node be silent; its pods go when the control plane has given it up."""
    ready = scene.get("Node", "", name)["status"]["conditions"][0]
    said = {"reason": "NodeStatusUnknown", "message": why, "lastTransitionTime": scene.time(scene.minute)}
    ready |= {"status": "Unknown", **said}


def evict(scene: Scene, node: str) -> None:
    """Let the pods of a node end."""
    for pod in scene.pods_on(node):
        pod["metadata"]["deletionTimestamp"] = scene.time(scene.minute)


def press(scene: Scene, node: str, kind: str = "Disk") -> None:
    """Let a node run out of something."""
    for one in scene.get("Node", "", node)["status"]["conditions"]:
        if one["type"] == f"{kind}Pressure":
            one |= {"status": "True", "lastTransitionTime": scene.time(scene.minute)}


def unplace(scene: Scene, namespace: str, workload: str, count: int, message: str) -> None:
    """Let new pods of a deployment find no node."""
    for index in range(count):
        pod = scene.pod(namespace, workload, f"new{index}", None, scene.minute)
        since = scene.time(scene.minute)
        said = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        pod["status"]["conditions"] = [said | {"lastTransitionTime": since}]
    lack(scene, namespace, workload, count)


def wait(
    scene: Scene, namespace: str, workload: str, reason: str, message: str, image: str = "reg.example.com/x:2"
) -> None:
    """Let all pods of a workload be new, and wait for a reason."""
    for pod in scene.pods(namespace, workload):
        pod["metadata"]["creationTimestamp"] = scene.time(scene.minute)
        _hold(pod, reason, message, image)
    lack(scene, namespace, workload, 99)


def crash(scene: Scene, namespace: str, workload: str, *, reason: str = "Error", code: int = 1, only: int = 99) -> None:
    """Let pods of a workload end again and again."""
    for pod in scene.pods(namespace, workload)[:only]:
        restarts = pod["status"]["containerStatuses"][0]["restartCount"] + 3
        _hold(pod, "CrashLoopBackOff", "back-off 2m40s restarting failed container", "reg.example.com/x:1")
        ended = {"reason": reason, "exitCode": code, "finishedAt": scene.time(scene.minute)}
        pod["status"]["containerStatuses"][0] |= {"restartCount": restarts, "lastState": {"terminated": ended}}
    lack(scene, namespace, workload, only)


def run_out_of_memory(scene: Scene, namespace: str, workload: str) -> None:
    """Let the containers of a workload be killed, and start again."""
    for pod in scene.pods(namespace, workload):
        ended = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": scene.time(scene.minute)}
        status = pod["status"]["containerStatuses"][0]
        status |= {"restartCount": status["restartCount"] + 1, "lastState": {"terminated": ended}}


def recover(scene: Scene, namespace: str, workload: str) -> None:
    """Let the pods of a workload run."""
    for pod in scene.pods(namespace, workload):
        status = pod["status"]["containerStatuses"][0]
        status |= {"ready": True, "state": {"running": {"startedAt": scene.time(scene.minute)}}}
    deployment = scene.objects.get(("Deployment", namespace, workload))
    if deployment is not None:
        deployment["status"]["availableReplicas"] = deployment["spec"]["replicas"]


def stick(scene: Scene, namespace: str, workload: str) -> None:
    """Let a rollout not end in its time."""
    said = {
        "reason": "ProgressDeadlineExceeded",
        "message": f'ReplicaSet "{workload}-{HASH}" has timed out progressing.',
    }
    condition = {"type": "Progressing", "status": "False", "lastTransitionTime": scene.time(scene.minute), **said}
    scene.get("Deployment", namespace, workload)["status"]["conditions"] = [condition]


def lack(scene: Scene, namespace: str, workload: str, count: int) -> None:
    """Let a deployment have fewer pods than it wants."""
    deployment = scene.objects.get(("Deployment", namespace, workload))
    if deployment is not None:
        wanted = deployment["spec"]["replicas"]
        deployment["status"]["availableReplicas"] = max(wanted - count, 0)


def refuse(scene: Scene, namespace: str, workload: str, quota: str) -> None:
    """Let a quota refuse pods."""
    asked = "requested: requests.cpu=2, used: requests.cpu=19, limited: requests.cpu=20"
    said = f'pods "{workload}-{HASH}-x" is forbidden: exceeded quota: {quota}, {asked}'
    scene.event(namespace, "ReplicaSet", f"{workload}-{HASH}", "FailedCreate", f"Error creating: {said}")
    scene.get("ResourceQuota", namespace, quota)["status"]["used"]["requests.cpu"] = "19"
    lack(scene, namespace, workload, 1)


def end_pod_of_job(scene: Scene, namespace: str, job: str, reason: str, code: int) -> None:
    """Let the pod of a job end badly."""
    body = scene.pod(namespace, job, "zzzzz", "n1", scene.minute)
    scene.drop("Pod", namespace, f"{job}-{HASH}-zzzzz")
    ended = {"reason": reason, "exitCode": code, "finishedAt": scene.time(scene.minute)}
    status: Object = {"name": "main", "ready": False, "restartCount": 0, "state": {"terminated": ended}}
    owners = [{"kind": "Job", "name": job, "controller": True}]
    meta = {"metadata": {"ownerReferences": owners}}
    scene.put(
        "Pod", namespace, f"{job}-zzzzz", body | meta | {"status": {"phase": "Failed", "containerStatuses": [status]}}
    )


def _hold(pod: Object, reason: str, message: str, image: str) -> None:
    pod["status"]["phase"] = "Pending" if reason != "CrashLoopBackOff" else "Running"
    state = {"waiting": {"reason": reason, "message": message}}
    restarts = (pod["status"].get("containerStatuses") or [{}])[0].get("restartCount", 0)
    held = {"name": "main", "ready": False, "image": image, "state": state, "restartCount": restarts}
    pod["status"]["containerStatuses"] = [held]
