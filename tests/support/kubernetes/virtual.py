"""A stand-in for the control planes of virtual clusters: no image of theirs runs in tests. What their pods would do for
the platform, it does: it writes the secret with what opens the virtual cluster, which is another server in memory."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.clusters import Access
from tests.support.kubernetes.kinds import BY_KEY
from tests.support.kubernetes.server import ApiServer
from tests.support.kubernetes.store import Key

SECRET = "vc-vcluster"
_PAUSE = 0.02


class ControlPlaneStandIn:
    """Looks at a host all the time, and writes the secret of each control plane that has a ready pod."""

    def __init__(self, host: ApiServer, opens: Access) -> None:
        self._host = host
        self.parts = {
            "certificate-authority": opens.ca or "",
            "client-certificate": opens.certificate or "",
            "client-key": opens.key or "",
        }
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control planes", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_PAUSE):
            with self._host.store.lock:
                for body in self._host.store.list("statefulsets.apps"):
                    if body["metadata"]["name"] == "vcluster" and (body.get("status") or {}).get("readyReplicas"):
                        self._write(body["metadata"]["namespace"])

    def _write(self, namespace: str) -> None:
        if self._host.store.get(Key("secrets.", namespace, SECRET)) is not None:
            return
        data = {name: base64.b64encode(text.encode()).decode() for name, text in self.parts.items()}
        self._host.api.make(
            BY_KEY["secrets."], {"metadata": {"name": SECRET, "namespace": namespace}, "data": data, "type": "Opaque"}
        )


@contextmanager
def standing_in(host: ApiServer, opens: Access) -> Iterator[ControlPlaneStandIn]:
    """Stand in while the block runs."""
    stand_in = ControlPlaneStandIn(host, opens)
    stand_in.start()
    try:
        yield stand_in
    finally:
        stand_in.stop()
