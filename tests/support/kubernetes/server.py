"""An API server for tests, on loopback, by TLS."""

from __future__ import annotations

import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from app.clusters import Access
from tests.support.certificates import Authority
from tests.support.kubernetes.api import Api
from tests.support.kubernetes.controllers import Controllers
from tests.support.kubernetes.kubelet import Kubelet
from tests.support.kubernetes.rights import MASTERS, User
from tests.support.kubernetes.store import Store
from tests.support.kubernetes.web import Site, Web


class ApiServer:
    """Runs from its making until `stop`. `api`, `faults`, `logs`, `site` and `controllers` are there to be used. With a
    kubelet its pods really run."""

    def __init__(self, kubelet: Kubelet | None = None) -> None:
        self.authority = Authority("kubernetes")
        self.api = Api()
        self.kubelet = kubelet
        self.site = Site(self.api, kubelet)
        self.faults, self.logs, self.seen = self.site.faults, self.site.logs, self.site.seen
        self.controllers = Controllers(self.api, kubelet)
        self.web = Web({"": self.site}, make_tls(self.authority))
        self.url = f"https://127.0.0.1:{self.web.server_port}"
        self.admin_token = self.token_for("admin", MASTERS)
        self.controllers.start()
        self._thread = self.web.start()

    @property
    def store(self) -> Store:
        """All objects, with the lock under which they are to be used."""
        return self.api.store

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
        """End all connections, and wait until nothing runs any more; fails where the server itself has failed."""
        self.web.end()
        self._thread.join()
        self.controllers.stop()
        if self.kubelet is not None:
            self.kubelet.stop()
        assert not self.site.problems, "\n".join(self.site.problems)


class Farm:
    """Many API servers behind one socket, for measurements: no controller runs by itself."""

    def __init__(self, count: int) -> None:
        self.authority = Authority("kubernetes")
        self.sites = [Site(Api()) for _ in range(count)]
        self._tokens = [site.api.tokens.issue(User("admin", (MASTERS,)))[0] for site in self.sites]
        self.web = Web({str(number): site for number, site in enumerate(self.sites)}, make_tls(self.authority))
        self._thread = self.web.start()

    def access(self, number: int) -> Access:
        """Return what opens one of them as its administrator."""
        url = f"https://127.0.0.1:{self.web.server_port}/clusters/{number}"
        return Access(url, ca=self.authority.pem, token=self._tokens[number])

    def stop(self) -> None:
        """End all connections."""
        self.web.end()
        self._thread.join()
        problems = [problem for site in self.sites for problem in site.problems]
        assert not problems, "\n".join(problems)


def make_tls(authority: Authority) -> ssl.SSLContext:
    """Return a server's context: a certificate for loopback, and clients' certificates where they have one."""
    pair = authority.issue("kube-apiserver", hosts=("127.0.0.1", "localhost"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(cadata=authority.pem)
    context.verify_mode = ssl.CERT_OPTIONAL
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(pair.certificate + pair.key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


@contextmanager
def serving(kubelet: Kubelet | None = None) -> Iterator[ApiServer]:
    """Run one while the block runs."""
    server = ApiServer(kubelet)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def farming(count: int) -> Iterator[Farm]:
    """Run many while the block runs."""
    farm = Farm(count)
    try:
        yield farm
    finally:
        farm.stop()


@contextmanager
def black_hole() -> Iterator[int]:
    """Yield a port of 127.0.0.1 that nobody gets connected to: its queue is full, and nobody takes from it."""
    with socket.socket() as listening, ExitStack() as held:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
