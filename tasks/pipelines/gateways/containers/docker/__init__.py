"""Containers of a Docker or podman engine, by the API that both serve."""

from tasks.pipelines.gateways.containers.docker.containers import DockerContainers

__all__ = ["DockerContainers"]
