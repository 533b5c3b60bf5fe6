"""The services of a stage: started before its steps, waited for until they are ready, removed at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from app.kernel.errors import HeadraceError
from tasks.gateways import Streamed
from tasks.pipelines.gateways.containers.base import (
    Check,
    ContainerRefused,
    Say,
    Service,
    ServiceFailed,
    StageNeeds,
)
from tasks.pipelines.gateways.containers.docker.attached import read_frames
from tasks.pipelines.gateways.containers.docker.bodies import service_body
from tasks.pipelines.gateways.containers.docker.fetching import Fetching
from tasks.pipelines.gateways.containers.docker.networks import Networks
from tasks.pipelines.gateways.containers.listening import listens
from tasks.pipelines.gateways.containers.waiting import Waiting

_LOOK_SECONDS: Final = 0.25
_NO_IMAGE_LIMIT: Final = 3600.0
_LAST_LINES: Final = 30
_MOST_LOG: Final = 64 * 1024
_WHOLE_LOG: Final = 32 * 1024 * 1024
"""More than the engine keeps of a service's log."""
_MOST_SAID: Final = 256 * 1024
_CANNOT_RUN: Final = (126, 127)
"""The image has no such program."""


class _NotInTime(Exception):
    """A service has not become ready in its time."""


class Services:
    """The services of one stage, on its inner network."""

    def __init__(self, networks: Networks, fetching: Fetching, check: Check, say: Say) -> None:
        self._networks = networks
        self._fetching = fetching
        self._check = check
        self._say = say
        self._made: list[str] = []
        self._give_up = float("inf")
        # What is made is made to its end, else nobody would know of it.
        self._engine = networks.place.connect()
        self._asking = networks.place.connect(self._keep)

    def start(self, needs: StageNeeds) -> None:
        """Start them in order, each once the one before it runs, and wait until all are ready."""
        started = [(service, self._start(service, needs)) for service in needs.services]
        for service, container in started:
            self._wait(service, container)

    def remove(self) -> None:
        """Take them away, the last one first, with the volumes of their images."""
        self._asking.close()
        for container in reversed(self._made):
            with suppress(HeadraceError):
                self._engine.call("DELETE", f"/containers/{container}", force=1, v=1)
        self._engine.close()

    def _start(self, service: Service, needs: StageNeeds) -> str:
        waiting = Waiting(self._is_asked_to_stop, _NO_IMAGE_LIMIT)
        image = self._fetching.fetch(service.image, waiting, lambda _, data: self._say(data.decode().strip()))
        extra = self._networks.place.extra_read_only
        body = service_body(service, image.name, needs, self._networks.of_service(), extra)
        container = str(self._engine.call("POST", "/containers/create", body)["Id"])
        self._made.append(container)
        try:
            self._engine.call("POST", f"/containers/{container}/start")
        except ContainerRefused as error:
            raise ServiceFailed(f"The service {service.name} could not be started: {error.message}") from error
        self._networks.hosts[service.name] = self._networks.address_of(self._engine, container)
        return container

    def _is_asked_to_stop(self) -> bool:
        self._check()
        return False

    def _keep(self) -> None:
        """Called while the engine is waited for: a program that tells whether a service is ready may hang."""
        self._check()
        if time.monotonic() > self._give_up:
            raise _NotInTime

    def _wait(self, service: Service, container: str) -> None:
        began = time.monotonic()
        self._give_up = began + service.seconds
        try:
            while not self._is_ready(service, container):
                self._keep()
                time.sleep(_LOOK_SECONDS)
        except _NotInTime:
            self._give_up = float("inf")
            self._fail(service, container, f"was not ready after {service.seconds:.0f} s")
        self._give_up = float("inf")
        self._say(f"The service {service.name} was ready after {time.monotonic() - began:.1f} s.")

    def _is_ready(self, service: Service, container: str) -> bool:
        state: dict[str, Any] = (self._asking.call("GET", f"/containers/{container}/json") or {}).get("State") or {}
        if not state.get("Running"):
            self._fail(service, container, f"ended with exit code {state.get('ExitCode')}")
        if service.ready is not None:
            return self._run(container, ["/bin/sh", "-c", service.ready])[0] == 0
        if service.port is not None:
            code, said = self._run(container, ["cat", "/proc/net/tcp", "/proc/net/tcp6"])
            return code in _CANNOT_RUN or listens(said.decode(errors="replace"), service.port)
        health = (state.get("Health") or {}).get("Status")
        if health == "unhealthy":
            self._fail(service, container, "is unhealthy by its image's own check")
        return health != "starting"

    def _run(self, container: str, command: Sequence[str]) -> tuple[int | None, bytes]:
        """Run a program in a service's container; its exit code and what it said."""
        asked = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(command)}
        try:
            made = self._asking.call("POST", f"/containers/{container}/exec", asked)
            with self._asking.stream("POST", f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False}) as answer:
                said = read_frames(_beginning(answer))
            return self._asking.call("GET", f"/exec/{made['Id']}/json").get("ExitCode"), said
        except ContainerRefused:
            return _CANNOT_RUN[-1], b""

    def _fail(self, service: Service, container: str, what: str) -> None:
        for line in self._last_lines(container):
            self._say(f"{service.name}: {line}")
        raise ServiceFailed(f"The service {service.name} {what}.")

    def _last_lines(self, container: str) -> list[str]:
        path = f"/containers/{container}/logs"
        with suppress(HeadraceError):
            with self._engine.stream("GET", path, stdout=1, stderr=1, tail=_LAST_LINES) as answer:
                said = read_frames(answer.read(_WHOLE_LOG))[-_MOST_LOG:]
            return said.decode(errors="replace").splitlines()
        return []


def _beginning(answer: Streamed) -> bytes:
    """Return the first part of what a program says, who may say more without end until its time is up."""
    said = bytearray()
    for piece in answer.pieces():
        said += piece[: _MOST_SAID - len(said)]
    return bytes(said)
