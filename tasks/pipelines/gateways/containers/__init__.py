"""Where steps with an image run: containers of a Docker or podman engine, behind one Protocol."""

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
    StageNeeds,
)
from tasks.pipelines.gateways.containers.docker import DockerContainers
from tasks.pipelines.gateways.containers.images import ImageRules

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
    "Service",
    "ServiceFailed",
    "StageNeeds",
]
