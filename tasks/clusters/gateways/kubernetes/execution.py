"""A command in a container, over a WebSocket: the first byte of a message says which stream the rest is of.

The protocol is that of `kubectl exec` (`v4.channel.k8s.io`, and `v5`, which adds an end of the standard input that is
not needed here): 0 is the standard input, 1 and 2 are the outputs, and 3 tells in a Status how the command ended.
"""

from __future__ import annotations

from typing import Any, Final

from tasks.clusters.gateways.kubernetes.answers import clean, read_object
from tasks.clusters.gateways.kubernetes.base import Channel, Ended
from tasks.clusters.gateways.kubernetes.errors import ClusterAway
from tasks.clusters.gateways.kubernetes.exchange import told
from tasks.gateways import WebSocket

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_OUTPUTS: Final[dict[int, Channel]] = {1: "stdout", 2: "stderr"}
_STDIN: Final = b"\x00"
_STATUS: Final = 3
_PIECE: Final = 32 * 1024


class SocketExecution:
    """`Execution` over a WebSocket."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self.ended: Ended | None = None

    def read(self, seconds: float) -> list[tuple[Channel, bytes]]:
        with told():
            messages = self._socket.receive(seconds)
        pieces: list[tuple[Channel, bytes]] = []
        for message in messages:
            channel = message[0] if message else None
            if channel == _STATUS and len(message) > 1:
                self.ended = read_end(message[1:])
            elif channel in _OUTPUTS and len(message) > 1:
                pieces.append((_OUTPUTS[channel], message[1:]))
        if not messages and self.ended is None and not self._socket.is_open:
            raise ClusterAway("The connection to the container was lost.")
        return pieces

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        with told():
            for start in range(0, len(view), _PIECE):
                self._socket.send(_STDIN + bytes(view[start : start + _PIECE]))


def read_end(body: bytes) -> Ended:
    """Return what the Status at a command's end says; raises NotKubernetes."""
    status = read_object(body)
    if status.get("status") == "Success":
        return Ended(0)
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    for cause in causes if isinstance(causes, list) else ():
        code = _exit_code(cause)
        if code is not None:
            return Ended(code)
    return Ended(None, clean(status.get("message", "")) or "The container's runtime did not say why.")


def _exit_code(cause: Any) -> int | None:
    if not isinstance(cause, dict) or cause.get("reason") != "ExitCode":
        return None
    said = str(cause.get("message", ""))
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 4 else None
