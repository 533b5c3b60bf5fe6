"""Where stages run, and what their steps may use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from config.declaring import setting
from config.values import KUBERNETES, read_labels


@dataclass(frozen=True)
class StepSettings:
    """Pipelines and steps."""

    log_store_url: str = setting("", "step logs; any fsspec address, by default a folder of `DATA_DIR`", secret=True)
    artifact_store_url: str = setting(
        "", "artifacts; any fsspec address, by default a folder of `DATA_DIR`", secret=True
    )
    work_dir: Path | None = setting(None, "where checkouts live while a stage runs; by default in `DATA_DIR`")
    sandbox: Literal["auto", "bubblewrap", "plain"] = setting("auto", "how steps are confined; `auto` takes the best")
    container_engine: str = setting(
        "",
        "what runs steps with an `image`: a Docker or podman API, as `unix:///run/docker.sock` or `tcp://host:2375` "
        "(whoever may use it is root on its host), or `kubernetes`: pods in the workspaces' namespaces. Without it "
        "such steps are refused",
    )
    container_image: str = setting("", "image of steps that name none; without it they run in `SANDBOX`")
    container_images: str = setting(
        "", "images that may be used, as globs such as `python:*`, separated by commas; without any all may be"
    )
    container_pull: Literal["if-missing", "always", "never"] = setting(
        "if-missing", "when images are fetched; private ones that are there already can be used by every workspace"
    )
    container_work_dir: Path | None = setting(
        None, "`WORK_DIR` as the engine sees it, where that is another path: a worker in a container of its own"
    )
    kubernetes_helper_image: str = setting(
        "busybox:1.36", "image that carries files to and from the pods of stages: `sh`, `tar`, `head` and `find`"
    )
    kubernetes_node_selector: str = setting(
        "", "labels that a node must have for the pods of stages, as `pool=builds,arch=amd64`"
    )
    kubernetes_start_seconds: float = setting(
        300.0, "how long the pod of a stage may wait for a node, its images and room in its workspace's quota"
    )
    sandbox_read_only: str = setting("", "further paths that steps may read, separated by colons")
    step_uid: int = setting(0, "user id of steps where the platform runs as root; 0 leaves them the platform's own")
    step_path: str = setting("", "folders put in front of the PATH of steps, separated by colons")
    step_network: bool = setting(True, "whether steps may use the network at all")
    step_memory_bytes: int = setting(2 * 1024**3, "memory of a step")
    step_processes: int = setting(512, "processes of a step")
    step_cpus: float = setting(0.0, "processor cores of a step; 0 sets no limit")
    step_file_bytes: int = setting(1024**3, "largest file a step may write")
    step_disk_bytes: int = setting(4 * 1024**3, "disk a stage's workspace may fill")
    step_timeout_seconds: int = setting(21_600, "longest time of a step, whatever its pipeline says")
    artifact_bytes: int = setting(1024**3, "largest sum of one stage's artifacts")
    cache_bytes: int = setting(2 * 1024**3, "largest cache of a stage, before it is compressed")
    cache_workspace_bytes: int = setting(10 * 1024**3, "caches of a workspace; those unused longest go first")
    cache_days: int = setting(7, "how long a cache that nobody uses is kept")
    runner_lease_seconds: float = setting(60.0, "how long a silent runner keeps its stage")
    runner_wait_seconds: float = setting(86_400.0, "how long a stage waits for a runner with its labels")
    runner_bytes: int = setting(8 * 1024**3, "all that a runner may send of one attempt of a stage, logs and files")
    allow_file_repositories: bool = setting(False, "whether repositories may be `file://` addresses")
    allow_private_addresses: bool = setting(
        False, "whether repositories, webhooks, mail servers and sources may be private"
    )

    @property
    def runs_in_pods(self) -> bool:
        """Whether steps with an image run in pods."""
        return self.container_engine == KUBERNETES

    @property
    def node_selector(self) -> dict[str, str]:
        """The labels that a node must have for the pods of stages."""
        return read_labels(self.kubernetes_node_selector)
