"""What is asked of the engine for each container: as little as will do, and nothing of the host's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from tasks.pipelines.gateways.containers.base import Service, StageNeeds
from tasks.pipelines.gateways.containers.docker.entry import CONTROL, ENTRY, STEP_HOME
from tasks.pipelines.gateways.sandbox import Limits, StepCommand
from tasks.pipelines.gateways.sandbox.scratch import Scratch

Body = dict[str, Any]

WORKSPACE: Final = PurePosixPath("/workspace")
OWN_PROCESSES: Final = 4
"""Those of the entry, beside the step's."""
# Images of databases start as root and become another user, which they own their data as. No more is left to them.
SERVICE_CAPABILITIES: Final = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
# podman asks for a million of each where others are named and these are not, more than every host lets it have; both
# are far above what a step needs. That of processes counts all of a user's on the host: see PidsLimit for a step's own.
_OPEN_FILES: Final = 16_384
_USERS_PROCESSES: Final = 16_384
_PERIOD: Final = 1_000_000_000


def step_body(
    command: StepCommand,
    image: str,
    inside: PurePosixPath,
    user: str,
    mounts: list[Body],
    networks: Body,
    labels: Mapping[str, str],
) -> Body:
    """Return the container of a step: its own user, a root that cannot be written, and three folders that can.

    Secrets are in its environment, and nowhere else.
    """
    environment = {"HOME": STEP_HOME, "TMPDIR": "/tmp", **command.environment}  # noqa: S108
    limited = "limited" if command.limits.memory_bytes is not None else "unlimited"
    return {
        "Image": image,
        "Entrypoint": ["/bin/sh", "-c", ENTRY, CONTROL, limited],
        "Cmd": [],
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "User": user,
        "WorkingDir": str(inside),
        "Labels": dict(labels),
        "OpenStdin": True,
        "StdinOnce": True,
        **{f"Attach{stream}": True for stream in ("Stdin", "Stdout", "Stderr")},
        "HostConfig": {
            **_confined(command.limits, OWN_PROCESSES),
            **networks,
            "ReadonlyRootfs": True,
            "Mounts": mounts,
            "Ulimits": _resource_limits(command.limits),
            "LogConfig": {"Type": "none"},
        },
    }


def service_body(service: Service, image: str, needs: StageNeeds, networks: Body, extra: Sequence[Path]) -> Body:
    """Return the container of a service: as its image wants to be started, on the stage's own network alone."""
    return {
        "Image": image,
        "Env": [f"{name}={value}" for name, value in service.environment.items()],
        "Hostname": service.name,
        "Labels": needs.owner.labels(),
        **({"Cmd": list(service.command)} if service.command is not None else {}),
        "HostConfig": {
            **_confined(needs.service_limits, 0),
            **networks,
            "Mounts": read_only_mounts(extra),
            "CapAdd": list(SERVICE_CAPABILITIES),
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m"}},
        },
    }


def read_only_mounts(paths: Sequence[Path]) -> list[Body]:
    """Return what an operator lets all steps read."""
    return [_bind(str(path), str(path), read_only=True) for path in paths]


def step_mounts(
    command: StepCommand,
    scratch: Scratch,
    volumes: Mapping[str, Path],
    seen: Callable[[Path], str],
    extra: Sequence[Path],
) -> list[Body]:
    """Return the folders a step sees; `seen` gives their paths as the engine has them, `volumes` the folders that stand
    for those at which the image wants volumes: the engine would make them on its own disk, which nobody counts."""
    folders = {
        **volumes,
        str(WORKSPACE): command.workspace.resolve(),
        STEP_HOME: scratch.home,
        "/tmp": scratch.temporary,  # noqa: S108
        "/var/tmp": scratch.temporary,  # noqa: S108
        CONTROL: scratch.control,
    }
    given = {str(path) for path in extra}
    return [
        *read_only_mounts(extra),
        *(_bind(seen(folder), target) for target, folder in folders.items() if target not in given),
    ]


def _confined(limits: Limits, own_processes: int) -> Body:
    body: Body = {
        "Privileged": False,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "RestartPolicy": {"Name": "no"},
    }
    if limits.memory_bytes is not None:
        body |= {"Memory": limits.memory_bytes, "MemorySwap": limits.memory_bytes}
    if limits.cpus is not None:
        body["NanoCpus"] = max(int(limits.cpus * _PERIOD), _PERIOD // 100)
    if limits.processes is not None:
        body["PidsLimit"] = limits.processes + own_processes
    return body


def _resource_limits(limits: Limits) -> list[Body]:
    amounts = {"core": 0, "nofile": _OPEN_FILES, "nproc": _USERS_PROCESSES}
    if limits.file_bytes is not None:
        amounts["fsize"] = limits.file_bytes
    return [{"Name": name, "Soft": amount, "Hard": amount} for name, amount in amounts.items()]


def _bind(source: str, target: str, *, read_only: bool = False) -> Body:
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only}
