"""A WebSocket to a server of others: messages bounded in size, silence bounded in time. The protocol itself is the
library's, without its input and output; the connection is checked and secured as that of every other request."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState, InvalidStatus, PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tasks.gateways.errors import AnswerTooLarge, AnswerUnreadable, Unreachable, UpgradeRefused
from tasks.gateways.wire import Wire

PING_SECONDS: Final = 20.0
SILENT_SECONDS: Final = 75.0
_SEND_SECONDS: Final = 60.0
_PIECE: Final = 64 * 1024

# The library tells of each connection that ends.
log = logging.getLogger(__name__)
log.setLevel(logging.WARNING)


class WebSocket:
    """One connection, after its handshake. A server that answers no ping is given up."""

    def __init__(self, wire: Wire, protocol: ClientProtocol) -> None:
        self._wire = wire
        self._protocol = protocol
        self._message = bytearray()
        self._heard_at = self._pinged_at = time.monotonic()

    @property
    def is_open(self) -> bool:
        """Whether neither side has begun to close."""
        return self._protocol.state is State.OPEN

    def receive(self, seconds: float) -> list[bytes]:
        """Wait for messages, at most so long, and return those that are whole; at the end `is_open` is false.

        Raises Unreachable for a server that is silent, AnswerTooLarge and AnswerUnreadable.
        """
        waiting = self._join()
        if waiting or not self.is_open:
            return waiting
        data = self._wire.take(seconds)
        if data is None:
            self._look_alive()
            return []
        self._heard_at = time.monotonic()
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self._flush()
        self._refuse_nonsense()
        return self._join()

    def send(self, data: bytes) -> None:
        """Send a message; raises Unreachable where the connection has ended."""
        try:
            self._protocol.send_binary(data)
        except InvalidState as error:
            raise Unreachable("The connection has ended.") from error
        self._flush()

    def close(self) -> None:
        """End the connection, with a word where that is still heard."""
        try:
            if self.is_open:
                self._protocol.send_close(1000)
                self._wire.begin(time.monotonic() + 1.0, 1.0)
                self._wire.sendall(b"".join(self._protocol.data_to_send()))
        except Exception as error:  # noqa: BLE001  # what a lost connection, or whoever waits, has to say is over with it
            log.debug("a websocket ended without a word: %s", type(error).__name__)
        finally:
            self._wire.hang_up()

    def _join(self) -> list[bytes]:
        messages: list[bytes] = []
        for frame in self._protocol.events_received():
            if not isinstance(frame, Frame) or frame.opcode not in (Opcode.BINARY, Opcode.TEXT, Opcode.CONT):
                continue
            self._message += frame.data
            if frame.fin:
                messages.append(bytes(self._message))
                self._message.clear()
        return messages

    def _flush(self) -> None:
        self._wire.begin(time.monotonic() + _SEND_SECONDS, _SEND_SECONDS)
        for data in self._protocol.data_to_send():
            self._wire.sendall(data)

    def _look_alive(self) -> None:
        now = time.monotonic()
        if now - self._heard_at > SILENT_SECONDS:
            raise Unreachable("The server has fallen silent.")
        if now - max(self._heard_at, self._pinged_at) > PING_SECONDS:
            self._pinged_at = now
            self._protocol.send_ping(b"")
            self._flush()

    def _refuse_nonsense(self) -> None:
        fault = self._protocol.parser_exc
        if isinstance(fault, PayloadTooBig):
            raise AnswerTooLarge("A message of the server is larger than it may be.") from fault
        if fault is not None and not isinstance(fault, EOFError):
            raise AnswerUnreadable("The server does not speak WebSocket.") from fault


def open_websocket(
    wire: Wire, uri: str, *, headers: Mapping[str, str], protocols: Sequence[str], max_bytes: int
) -> WebSocket:
    """Shake hands over a connection, within the time that its clock gives; raises UpgradeRefused with a server's
    refusal, AnswerUnreadable or Unreachable."""
    offered = [Subprotocol(name) for name in protocols]
    protocol = ClientProtocol(parse_uri(uri), subprotocols=offered, max_size=max_bytes, logger=log)
    request = protocol.connect()
    request.headers.update(headers)
    protocol.send_request(request)
    wire.sendall(b"".join(protocol.data_to_send()))
    buffer = bytearray(_PIECE)
    while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
        size = wire.receive(memoryview(buffer))
        if not size:
            raise Unreachable("The server ended the connection before it answered.")
        protocol.receive_data(bytes(buffer[:size]))
    _refuse(protocol.handshake_exc)
    return WebSocket(wire, protocol)


def _refuse(error: Exception | None) -> None:
    if isinstance(error, InvalidStatus):
        answer = error.response
        headers = {name.lower(): value for name, value in answer.headers.raw_items()}
        raise UpgradeRefused(status=answer.status_code, headers=headers, body=bytes(answer.body or b"")) from error
    if error is not None:
        raise AnswerUnreadable("The server does not speak WebSocket.") from error
