"""An API server for tests, on loopback, by TLS."""

from __future__ import annotations

import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.clusters import Access
from tests.support.certificates import Authority
from tests.support.kubernetes.api import Api
from tests.support.kubernetes.controllers import Controllers
from tests.support.kubernetes.faults import Faults
from tests.support.kubernetes.logs import Logs
from tests.support.kubernetes.rights import MASTERS, User
from tests.support.kubernetes.store import Store
from tests.support.kubernetes.web import Web


class ApiServer:
    """Runs from its making until `stop`. `faults`, `logs`, `controllers` and `api` are there to be used by tests."""

    def __init__(self) -> None:
        self.authority = Authority("kubernetes")
        self.api = Api()
        self.faults = Faults()
        self.logs = Logs()
        self.controllers = Controllers(self.api)
        self.web = Web(self.api, self.faults, self.logs, self._tls())
        self.url = f"https://127.0.0.1:{self.web.server_port}"
        self.admin_token = self.token_for("admin", MASTERS)
        self.controllers.start()
        self._thread = threading.Thread(target=self.web.serve_forever, args=(0.05,), name="api-server", daemon=True)
        self._thread.start()

    @property
    def store(self) -> Store:
        """All objects, with the lock under which they are to be used."""
        return self.api.store

    @property
    def seen(self) -> list[str]:
        """Method and target of all requests."""
        return self.web.seen

    @property
    def connections(self) -> list[tuple[str, int]]:
        """The addresses of all clients that have connected."""
        return self.web.clients

    def token_for(self, name: str, *groups: str) -> str:
        """Return a token of a user, who may do nothing unless a group or a binding says so."""
        return self.api.tokens.issue(User(name, groups))[0]

    def access(self, token: str | None = None) -> Access:
        """Return what opens it: as its administrator, or with a token."""
        return Access(self.url, ca=self.authority.pem, token=token or self.admin_token)

    def access_by_certificate(self, name: str, *groups: str) -> Access:
        """Return what opens it for a user by a client certificate."""
        pair = self.authority.issue(name, groups=groups)
        return Access(self.url, ca=self.authority.pem, certificate=pair.certificate, key=pair.key)

    def forget_history(self) -> None:
        """Make all versions so far too old to watch from."""
        self.store.compact()

    def stop(self) -> None:
        """End all connections, and wait until nothing runs any more."""
        self.web.end()
        self._thread.join()
        self.controllers.stop()

    def _tls(self) -> ssl.SSLContext:
        pair = self.authority.issue("kube-apiserver", hosts=("127.0.0.1", "localhost"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_verify_locations(cadata=self.authority.pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(pair.certificate + pair.key)
            file.flush()
            context.load_cert_chain(file.name)
        return context


@contextmanager
def serving() -> Iterator[ApiServer]:
    """Run one while the block runs."""
    server = ApiServer()
    try:
        yield server
    finally:
        server.stop()
