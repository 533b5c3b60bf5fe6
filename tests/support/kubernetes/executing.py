"""The server's side of `exec`: a process, and the WebSocket that its streams go over."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterable
from typing import IO, Any

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_TICK = 0.05
_PIECE = 32 * 1024


class Exec:
    """One command: its process, and the connection of who asked for it."""

    def __init__(self, connection: socket.socket, protocols: Iterable[str] = PROTOCOLS) -> None:
        self._socket = connection
        self._protocol = ServerProtocol(subprotocols=[Subprotocol(name) for name in protocols])
        self._input = bytearray()

    def accept(self, path: str, headers: Iterable[tuple[str, str]]) -> None:
        """Answer the handshake."""
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self._protocol.receive_data(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        asked = self._protocol.events_received()[0]
        assert isinstance(asked, Request)
        self._protocol.send_response(self._protocol.accept(asked))
        self._flush()

    def run(self, process: subprocess.Popen[bytes], is_stopping: Callable[[], bool]) -> None:
        """Pass its streams on until it has ended, and say how. That who asked goes away ends its input, no more."""
        assert process.stdin is not None
        outputs = {pipe: number for number, pipe in ((1, process.stdout), (2, process.stderr)) if pipe is not None}
        os.set_blocking(process.stdin.fileno(), False)
        with contextlib.suppress(OSError):
            while (outputs or process.poll() is None) and not is_stopping():
                self._turn(process.stdin, outputs)
                if not self._is_open() and not process.stdin.closed:
                    process.stdin.close()
        self._tell_end(process)

    def fail(self, message: str) -> None:
        """Say that it cannot be run."""
        self._end({"status": "Failure", "reason": "InternalError", "message": message})

    def _turn(self, stdin: IO[bytes], outputs: dict[IO[bytes], int]) -> None:
        waiting = [*outputs] + ([self._socket] if self._is_open() else [])
        writing = [stdin] if self._input and not stdin.closed else []
        pending = isinstance(self._socket, ssl.SSLSocket) and self._is_open() and self._socket.pending() > 0
        readable, writable, _ = select.select(waiting, writing, [], 0 if pending else _TICK)
        if pending or self._socket in readable:
            self._hear()
        for pipe in [one for one in outputs if one in readable]:
            data = os.read(pipe.fileno(), _PIECE)
            if data:
                self._send(outputs[pipe], data)
            else:
                del outputs[pipe]
                pipe.close()
        if writable:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                del self._input[: os.write(stdin.fileno(), self._input)]

    def _hear(self) -> None:
        try:
            data = self._socket.recv(_PIECE)
        except OSError:
            data = b""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame) and frame.opcode is Opcode.BINARY and frame.data[:1] == b"\0":
                self._input += frame.data[1:]
        self._flush()

    def _is_open(self) -> bool:
        return self._protocol.state is State.OPEN

    def _send(self, channel: int, data: bytes) -> None:
        if self._is_open():
            self._protocol.send_binary(bytes([channel]) + data)
            self._flush()

    def _tell_end(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None and not process.stdin.closed:
            process.stdin.close()
        code = process.poll()
        code = 128 - code if code is not None and code < 0 else code
        if not code:
            self._end({"status": "Success"})
            return
        cause = {"reason": "ExitCode", "message": str(code)}
        said = f"command terminated with non-zero exit code: exit status {code}"
        details = {"causes": [cause]}
        self._end({"status": "Failure", "reason": "NonZeroExitCode", "message": said, "details": details})

    def _end(self, status: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._send(3, json.dumps({"metadata": {}, **status}).encode())
            if self._is_open():
                self._protocol.send_close(1000)
                self._flush()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                with contextlib.suppress(OSError):
                    self._socket.sendall(data)
