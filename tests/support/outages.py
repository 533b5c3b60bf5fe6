"""What goes wrong with servers in earnest: they hang, they lose a connection during a commit."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from launcher.ports import LOOPBACK
from tests.support.platform import children_of

BLOCK = 65536
READY = b"Z\x00\x00\x00\x05I"


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a server and all of its processes while the block runs: it keeps its connections and answers nothing."""
    stopped = []
    try:
        for each in _family(pid):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGSTOP)
                stopped.append(each)
        yield
    finally:
        for each in stopped:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGCONT)


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(FileNotFoundError):
        for child in children_of(pid):
            yield from _family(child)


class CuttingProxy:
    """Stands before PostgreSQL, and cuts a connection at its next COMMIT once it has seen a word on it.

    `cut_after` says whether the server is let commit before the client loses it. Without a `word` it only passes on.
    """

    def __init__(self, port: int) -> None:
        self.word = b""
        self.cut_after = False
        self.cuts = 0
        self._server_port = port
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def arm(self, word: str, *, cut_after: bool) -> None:
        """Cut the first connection that commits after it has said `word`."""
        self.cut_after, self.word = cut_after, word.encode()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection((LOOPBACK, self._server_port))
        except OSError:
            client.close()
            return
        threading.Thread(target=self._back, args=(server, client), daemon=True).start()
        with suppress(OSError), client, server:
            self._forth(client, server)

    def _forth(self, client: socket.socket, server: socket.socket) -> None:
        seen = False
        while data := client.recv(BLOCK):
            word = self.word
            seen = seen or bool(word and word in data)
            if seen and word and b"COMMIT" in data:
                self.word = b""
                self.cuts += 1
                self._cut(client, server, data)
                return
            server.sendall(data)

    def _cut(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        # The reply must not reach the client, so its direction is shut first.
        client.shutdown(socket.SHUT_RDWR)
        if self.cut_after:
            server.sendall(data)
            server.sendall(b"X\x00\x00\x00\x04")
            server.shutdown(socket.SHUT_WR)
            while server.recv(BLOCK):
                pass
        else:
            # Closing alone would say nothing to the server while the other direction still waits for it.
            server.shutdown(socket.SHUT_RDWR)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(BLOCK):
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """Mount a disk of so many megabytes at `folder`; yields False where mounting is not allowed.

    A process of its own unmounts it as soon as this one lets go of its input, so also when this one is killed.
    """
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "headrace-tests", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        yield False
        return
    unmount = ["sh", "-c", 'cat; exec umount --lazy "$0"', str(folder)]
    with subprocess.Popen(unmount, stdin=subprocess.PIPE, start_new_session=True) as keeper:
        yield True
    assert keeper.returncode == 0, f"{folder} is still mounted"
