"""The services of a stage's pod: waited for until they are ready. Its steps reach them on their own machine."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final

from app.kernel.errors import HeadraceError
from tasks.clusters.gateways.kubernetes import Cluster, ClusterError
from tasks.pipelines.gateways.containers.base import Check, Say, Service, ServiceFailed
from tasks.pipelines.gateways.containers.kubernetes.opening import (
    container_status,
    end_of,
    read_pod,
    state_of,
)
from tasks.pipelines.gateways.containers.kubernetes.place import HELPER, Pod
from tasks.pipelines.gateways.containers.kubernetes.pods import service_container
from tasks.pipelines.gateways.containers.listening import listens

_LOOK_SECONDS: Final = 0.25
_LAST_LINES: Final = 30
_MOST_SAID: Final = 256 * 1024
_COMMAND_SECONDS: Final = 10.0
_SOCKETS: Final = ("cat", "/proc/net/tcp", "/proc/net/tcp6")


@dataclass(slots=True)
class Services:
    """The services of one stage."""

    cluster: Cluster
    pod: Pod
    check: Check
    say: Say

    def wait_for(self, services: tuple[Service, ...]) -> None:
        """Return when all are ready; raises ServiceFailed."""
        began = time.monotonic()
        for service in services:
            while not self._is_ready(service):
                self.check()
                if time.monotonic() - began > service.seconds:
                    self._fail(service, f"was not ready after {service.seconds:.0f} s")
                time.sleep(_LOOK_SECONDS)
            self.say(f"The service {service.name} was ready after {time.monotonic() - began:.1f} s.")

    def _is_ready(self, service: Service) -> bool:
        name = service_container(service)
        status = container_status(read_pod(self.cluster, self.pod), name)
        if (ended := end_of(status)) is not None:
            self._fail(service, f"ended with exit code {ended.get('exitCode')}")
        if state_of(status, "running") is None:
            return False
        if service.ready is not None:
            return self._run(name, ("/bin/sh", "-c", service.ready))[0] == 0
        if service.port is not None:
            # A pod has one network. The service's own container is asked first: it need not be so everywhere.
            tables = [self._run(container, _SOCKETS)[1] for container in (name, HELPER)]
            return any(listens(table.decode(errors="replace"), service.port, from_here=True) for table in tables)
        return True

    def _run(self, container: str, command: tuple[str, ...]) -> tuple[int | None, bytes]:
        """Run a program in a container; its exit code, None where it could not be run or took too long."""
        said, give_up = b"", time.monotonic() + _COMMAND_SECONDS
        place = (self.pod.name, self.pod.namespace)
        with suppress(ClusterError), self.cluster.execute(*place, command, container=container) as execution:
            while execution.ended is None and time.monotonic() < give_up and len(said) < _MOST_SAID:
                said += b"".join(data for _, data in execution.read(_LOOK_SECONDS))
            return (execution.ended.exit_code if execution.ended else None), said
        return None, said

    def _fail(self, service: Service, what: str) -> None:
        for line in self._last_lines(service):
            self.say(f"{service.name}: {line.decode(errors='replace')}")
        raise ServiceFailed(f"The service {service.name} {what}.")

    def _last_lines(self, service: Service) -> list[bytes]:
        with suppress(HeadraceError):
            place = (self.pod.name, self.pod.namespace)
            lines = self.cluster.follow_log(
                *place, container=service_container(service), follow=False, tail=_LAST_LINES
            )
            return list(islice(lines, _LAST_LINES))
        return []
