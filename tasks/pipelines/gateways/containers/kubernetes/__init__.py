"""Containers of pods: a pod for each stage, in the namespace of its workspace."""

from tasks.pipelines.gateways.containers.kubernetes.containers import PodContainers
from tasks.pipelines.gateways.containers.kubernetes.place import PodRules

__all__ = ["PodContainers", "PodRules"]
