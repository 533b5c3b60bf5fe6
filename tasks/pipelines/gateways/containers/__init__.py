"""Where steps with an image run: containers of a Docker or podman engine, or of pods, behind one Protocol."""

from tasks.pipelines.gateways.containers.base import (
    ContainerRefused,
    Containers,
    ContainersUnavailable,
    ImageRefused,
    ImageUnavailable,
    Left,
    Owner,
    Service,
    ServiceFailed,
    Shape,
    Site,
    StageNeeds,
    StageSandbox,
)
from tasks.pipelines.gateways.containers.docker import DockerContainers
from tasks.pipelines.gateways.containers.images import ImageRules
from tasks.pipelines.gateways.containers.kubernetes import PodContainers, PodRules

__all__ = [
    "ContainerRefused",
    "Containers",
    "ContainersUnavailable",
    "DockerContainers",
    "ImageRefused",
    "ImageRules",
    "ImageUnavailable",
    "Left",
    "Owner",
    "PodContainers",
    "PodRules",
    "Service",
    "ServiceFailed",
    "Shape",
    "Site",
    "StageNeeds",
    "StageSandbox",
]
