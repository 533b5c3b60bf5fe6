"""The networks of one stage: one inside, on which its services are reached, and one that leads out.

Steps of other stages are on neither. A service is never on the one that leads out, a step only when it has a network.
Nor is the host on the one inside, as it is on any other that an engine makes: what listens there, such as a database,
would be reached by whoever has a service.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Final

from app.kernel.errors import HeadraceError
from app.kernel.ids import new_id
from tasks.pipelines.gateways.containers.base import ContainersUnavailable, Owner
from tasks.pipelines.gateways.containers.docker.engine import Engine
from tasks.pipelines.gateways.containers.docker.place import Place

NONE: Final = "none"
_PODMAN: Final = "/v4.0.0/libpod"
# Where it makes no address of version 4 for the host, an engine still gives its end of the network one of version 6.
_IP6: Final = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
_WITHOUT_IP6: Final = {f"net.ipv6.conf.{which}.disable_ipv6": "1" for which in ("all", "default")}


@dataclass(slots=True)
class Networks:
    """Made when first needed. `hosts` are the services' addresses, which steps get in their /etc/hosts: the engines'
    own name servers differ, and not all of them answer on a network that leads nowhere."""

    place: Place
    owner: Owner
    hosts: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _made: dict[str, str] = field(default_factory=dict)

    def of_step(self, *, outside: bool) -> dict[str, Any]:
        """Return what the container of a step is made with; see `join` for one that has services and goes outside."""
        if self.hosts:
            return self._of(self.inside(), is_alone=not outside)
        return self._of(self.outside() if outside else NONE, is_alone=False)

    def of_service(self) -> dict[str, Any]:
        """Return what the container of a service is made with."""
        return self._of(self.inside(), is_alone=True)

    def _of(self, network: str, *, is_alone: bool) -> dict[str, Any]:
        hosts = [f"{name}:{address}" for name, address in self.hosts.items()]
        without = {"Sysctls": _WITHOUT_IP6} if is_alone and _IP6.exists() else {}
        return {"NetworkMode": network, "ExtraHosts": hosts, **without}

    def join(self, engine: Engine, container: str, outside: bool) -> None:
        """Put a container that is made on the services' network on the one that leads out too, if it has a network."""
        if self.hosts and outside:
            engine.call("POST", f"/networks/{self.outside()}/connect", {"Container": container})

    def inside(self) -> str:
        """Return the name of the network of services and steps."""
        return self._ensure("inside", self._make_inside)

    def outside(self) -> str:
        """Return the name of the network that leads out."""
        return self._ensure("outside", self._make_outside)

    def remove(self) -> None:
        """Take them away; what an engine that is away keeps is swept up later."""
        with suppress(HeadraceError):
            engine = self.place.connect()
            try:
                for name in self._made.values():
                    with suppress(HeadraceError):
                        engine.call("DELETE", f"/networks/{name}")
            finally:
                engine.close()

    def address_of(self, engine: Engine, container: str) -> str:
        """Return a container's address on the network of services."""
        found = engine.call("GET", f"/containers/{container}/json") or {}
        joined = (found.get("NetworkSettings") or {}).get("Networks") or {}
        address = (joined.get(self.inside()) or {}).get("IPAddress")
        if not address:
            raise ContainersUnavailable("The container engine gave a service no address.")
        return str(address)

    def _ensure(self, kind: str, make: Callable[[str], None]) -> str:
        with self._lock:
            if kind not in self._made:
                name = f"headrace-{new_id()}"
                make(name)
                self._made[kind] = name
            return self._made[kind]

    def _make_outside(self, name: str) -> None:
        body = {"Name": name, "Driver": "bridge", "Labels": self.owner.labels()}
        _create(self.place.connect(), "/networks/create", body)

    def _make_inside(self, name: str) -> None:
        labels = self.owner.labels()
        if self.place.facts.name == "podman":
            # Without a name server the host has no address there either; only podman's own API can say so.
            body = {"name": name, "driver": "bridge", "internal": True, "dns_enabled": False, "labels": labels}
            _create(Engine(self.place.address), f"{_PODMAN}/networks/create", body)
        else:
            options = {"com.docker.network.bridge.inhibit_ipv4": "true"}
            docker = {"Name": name, "Driver": "bridge", "Internal": True, "Options": options, "Labels": labels}
            _create(self.place.connect(), "/networks/create", docker)


def _create(engine: Engine, path: str, body: dict[str, Any]) -> None:
    try:
        engine.call("POST", path, body)
    finally:
        engine.close()
