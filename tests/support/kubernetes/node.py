"""A node for a real API server to ask: the part of a kubelet's own API that `exec` needs, over TLS on loopback.

It runs commands as processes of this machine, in no container.
"""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.certificates import Authority
from tests.support.kubernetes.executing import Exec
from tests.support.kubernetes.server import make_tls

OLD = ("v4.channel.k8s.io",)
"""What kubelets spoke before 1.30."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Run what `/exec/<namespace>/<pod>/<container>?command=…` says."""
        command = [value for name, value in parse_qsl(urlsplit(self.path).query) if name == "command"]
        self.close_connection = True
        session = Exec(self.connection, OLD)
        session.accept(self.path, self.headers.items())
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        session.run(subprocess.Popen(command, **pipes), lambda: False)  # type: ignore[call-overload]

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def listening_node() -> Iterator[int]:
    """Run it while the block runs; yields its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    tls: ssl.SSLContext = make_tls(Authority("node"))
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
