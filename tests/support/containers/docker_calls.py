"""The calls of the Docker Engine API that the server of the tests answers, and what it keeps. See docker_api.py."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tasks.pipelines.gateways.sandbox.cgroups import ControlGroups
from tests.support.containers.fake_container import FakeContainer
from tests.support.containers.image import make_root

Answer = tuple[int, Any]


@dataclass
class DockerApi:
    """The engine. `registry` are the images that can be fetched, each with the error that its fetching ends in, if any;
    `failing` answers calls whose path matches with a status and a message; every image wants `volumes`."""

    folder: Path
    groups: ControlGroups | None = None
    images: set[str] = field(default_factory=set)
    volumes: tuple[str, ...] = ()
    registry: dict[str, str | None] = field(default_factory=dict)
    pull_seconds: float = 0.0
    failing: dict[str, tuple[int, str]] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    containers: dict[str, FakeContainer] = field(default_factory=dict)
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    executions: dict[str, tuple[FakeContainer, list[str], int | None]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    made: list[dict[str, Any]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"unix://{self.folder}/engine.sock"

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        """Answer a call that needs no stream."""
        for (wanted, pattern), act in CALLS.items():
            match = re.fullmatch(pattern, path)
            if method == wanted and match:
                return act(self, query, body, *map(unquote, match.groups()))
        return 404, {"message": f"page not found: {method} {path}"}

    def find(self, name: str) -> FakeContainer:
        """Return a container by its id; raises KeyError."""
        return self.containers[name]

    def pull(self, image: str) -> Iterator[dict[str, Any]]:
        """Fetch an image, piece by piece."""
        yield {"status": f"Pulling {image}"}
        time.sleep(self.pull_seconds)
        error = self.registry.get(image, f"pull access denied for {image}, repository does not exist")
        if error:
            yield {"errorDetail": {"message": error}, "error": error}
            return
        self.images.add(image)
        yield {"status": "Download complete"}

    def stop(self) -> None:
        """Kill all containers."""
        for container in list(self.containers.values()):
            container.remove()


def _version(*_: Any) -> Answer:
    return 200, {"Version": "0.0-tests", "ApiVersion": "1.44", "MinAPIVersion": "1.24", "Components": []}


def _info(api: DockerApi, *_: Any) -> Answer:
    held = api.groups is not None
    version = str(api.groups.version) if api.groups else "1"
    return 200, {"MemoryLimit": held, "CgroupVersion": version, "CgroupDriver": "cgroupfs", "SecurityOptions": []}


def _image(api: DockerApi, _: Any, __: Any, name: str) -> Answer:
    if name not in api.images:
        return 404, {"message": f"No such image: {name}"}
    return 200, {"Id": name, "Config": {"Volumes": {volume: {} for volume in api.volumes} or None}}


def _create(api: DockerApi, _: Any, body: dict[str, Any]) -> Answer:
    api.made.append(body)
    if body["Image"] not in api.images:
        return 404, {"message": f"No such image: {body['Image']}"}
    root = Path(tempfile.mkdtemp(dir=api.folder))
    root.chmod(0o755)
    make_root(root)
    container = FakeContainer(body, root, api.groups)
    for mount in body["HostConfig"].get("Mounts", ()):
        (root / mount["Target"].lstrip("/")).mkdir(parents=True, exist_ok=True)
    container.networks.append(body["HostConfig"].get("NetworkMode", "default"))
    api.containers[container.id] = container
    return 201, {"Id": container.id, "Warnings": []}


def _start(api: DockerApi, _: Any, __: Any, name: str) -> Answer:
    try:
        api.find(name).start()
    except FileNotFoundError as error:
        return 400, {"message": f"OCI runtime create failed: {error}: no such file or directory"}
    return 204, None


def _kill(api: DockerApi, _: Any, __: Any, name: str) -> Answer:
    api.find(name).kill()
    return 204, None


def _wait(api: DockerApi, _: Any, __: Any, name: str) -> Answer:
    api.find(name).ended.wait(30)
    return 200, {"StatusCode": api.find(name).exit_code}


def _inspect(api: DockerApi, _: Any, __: Any, name: str) -> Answer:
    found = api.find(name)
    state = {
        "Status": found.status,
        "Running": found.status == "running",
        "ExitCode": found.exit_code,
        "OOMKilled": found.killed_for_memory,
        "Pid": found.process.pid if found.process and found.status == "running" else 0,
    }
    joined = {network: {"IPAddress": "10.0.0.2"} for network in found.networks}
    return 200, {"Id": name, "State": state, "NetworkSettings": {"Networks": joined}}


def _remove(api: DockerApi, _: Any, __: Any, name: str) -> Answer:
    container = api.containers.pop(name)
    container.remove()
    shutil.rmtree(container.root, ignore_errors=True)
    return 204, None


def _list(api: DockerApi, query: dict[str, str], _: Any) -> Answer:
    labels = json.loads(query.get("filters", "{}")).get("label", [])
    found = [one for one in api.containers.values() if _has(one.body.get("Labels", {}), labels)]
    return 200, [{"Id": one.id, "Labels": one.body["Labels"]} for one in found]


def _make_network(api: DockerApi, _: Any, body: dict[str, Any]) -> Answer:
    api.networks[body["Name"]] = body
    return 201, {"Id": body["Name"]}


def _connect(api: DockerApi, _: Any, body: dict[str, Any], name: str) -> Answer:
    api.find(body["Container"]).networks.append(name)
    return 200, None


def _remove_network(api: DockerApi, _: Any, __: Any, name: str) -> Answer:
    if any(name in one.networks for one in api.containers.values()):
        return 403, {"message": f"network {name} has active endpoints"}
    del api.networks[name]
    return 204, None


def _list_networks(api: DockerApi, query: dict[str, str], _: Any) -> Answer:
    labels = json.loads(query.get("filters", "{}")).get("label", [])
    found = [one for one in api.networks.values() if _has(one["Labels"], labels)]
    return 200, [{"Id": one["Name"], "Labels": one["Labels"]} for one in found]


def _make_execution(api: DockerApi, _: Any, body: dict[str, Any], name: str) -> Answer:
    key = uuid.uuid4().hex
    api.executions[key] = (api.find(name), body["Cmd"], None)
    return 201, {"Id": key}


def _inspect_execution(api: DockerApi, _: Any, __: Any, key: str) -> Answer:
    return 200, {"ExitCode": api.executions[key][2]}


def _has(labels: dict[str, str], wanted: list[str]) -> bool:
    return all(
        f"{name}={labels.get(name)}" in wanted or name not in one for one in wanted for name in [one.split("=")[0]]
    )


CALLS: dict[tuple[str, str], Callable[..., Answer]] = {
    ("GET", "/version"): _version,
    ("GET", "/info"): _info,
    ("GET", "/images/(.+)/json"): _image,
    ("POST", "/containers/create"): _create,
    ("POST", "/containers/([^/]+)/start"): _start,
    ("POST", "/containers/([^/]+)/kill"): _kill,
    ("POST", "/containers/([^/]+)/wait"): _wait,
    ("GET", "/containers/json"): _list,
    ("GET", "/containers/([^/]+)/json"): _inspect,
    ("DELETE", "/containers/([^/]+)"): _remove,
    ("POST", "/networks/create"): _make_network,
    ("POST", "/networks/([^/]+)/connect"): _connect,
    ("DELETE", "/networks/([^/]+)"): _remove_network,
    ("GET", "/networks"): _list_networks,
    ("POST", "/containers/([^/]+)/exec"): _make_execution,
    ("GET", "/exec/([^/]+)/json"): _inspect_execution,
}
