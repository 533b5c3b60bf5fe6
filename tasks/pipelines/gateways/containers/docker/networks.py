"""The networks of one stage: one inside, on which its services are reached, and one that leads out.

Steps of other stages are on neither. A service is never on the one that leads out, a step only when it has a network.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from app.kernel.errors import HeadraceError
from app.kernel.ids import new_id
from tasks.pipelines.gateways.containers.base import ContainersUnavailable, Owner
from tasks.pipelines.gateways.containers.docker.engine import Engine
from tasks.pipelines.gateways.containers.docker.place import Place

NONE = "none"


@dataclass(slots=True)
class Networks:
    """Made when first needed. `hosts` are the services' addresses, which steps get in their /etc/hosts: the engines'
    own name servers differ, and not all of them answer on a network that leads nowhere."""

    place: Place
    owner: Owner
    hosts: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _made: dict[str, str] = field(default_factory=dict)

    def mode(self, outside: bool) -> str:
        """Return the network a step's container is made on."""
        if self.hosts:
            return self.inside()
        return self.outside() if outside else NONE

    def join(self, engine: Engine, container: str, outside: bool) -> None:
        """Put a container that is made on the services' network on the one that leads out too, if it has a network."""
        if self.hosts and outside:
            engine.call("POST", f"/networks/{self.outside()}/connect", {"Container": container})

    def inside(self) -> str:
        """Return the name of the network of services and steps."""
        return self._ensure("inside", internal=True)

    def outside(self) -> str:
        """Return the name of the network that leads out."""
        return self._ensure("outside", internal=False)

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

    def _ensure(self, kind: str, *, internal: bool) -> str:
        with self._lock:
            if kind not in self._made:
                name = f"headrace-{new_id()}"
                body = {"Name": name, "Driver": "bridge", "Internal": internal, "Labels": self.owner.labels()}
                engine = self.place.connect()
                try:
                    engine.call("POST", "/networks/create", body)
                finally:
                    engine.close()
                self._made[kind] = name
            return self._made[kind]
