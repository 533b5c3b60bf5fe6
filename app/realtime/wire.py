"""The WebSocket protocol (RFC 6455) of one client: bytes come in, messages come out. The protocol itself is the
library's, without its input and output."""

from __future__ import annotations

import logging
from typing import Final, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

MOST_BYTES: Final = 1024 * 1024
LONGEST_REASON_BYTES: Final = 123

# The library tells of each connection that ends.
log = logging.getLogger(__name__)
log.setLevel(logging.WARNING)


class Wire:
    """One connection, after its handshake."""

    __slots__ = ("_message", "_protocol", "frames")

    def __init__(self) -> None:
        self._protocol = ServerProtocol(state=State.OPEN, max_size=MOST_BYTES, logger=log)
        self._message = b""
        self.frames = 0

    @property
    def is_open(self) -> bool:
        """Whether neither side has begun to close."""
        return self._protocol.state is State.OPEN

    def receive(self, data: bytes) -> list[str]:
        """Return the texts that these bytes complete; `answer` is then to be sent, whatever came."""
        self._protocol.receive_data(data)
        texts: list[str] = []
        for frame in cast("list[Frame]", self._protocol.events_received()):
            self.frames += 1
            if frame.opcode is Opcode.BINARY:
                self.fail(CloseCode.UNSUPPORTED_DATA, "only text is understood here")
            if not self.is_open:
                return texts
            if frame.opcode in (Opcode.TEXT, Opcode.CONT):
                texts += self._join(frame)
        return texts

    def answer(self) -> bytes:
        """Return what the protocol has to say by itself: pongs, and the end."""
        return b"".join(self._protocol.data_to_send())

    def close(self, code: int, reason: str) -> bytes:
        """Return the frame that closes the connection, or nothing when it is closing already."""
        if self.is_open:
            self._protocol.send_close(code, _short(reason))
        return self.answer()

    def fail(self, code: int, reason: str) -> None:
        """Close the connection because of what the client did; `answer` says so."""
        self._protocol.fail(code, _short(reason))

    def ping(self) -> bytes:
        """Return a ping."""
        self._protocol.send_ping(b"")
        return self.answer()

    def _join(self, frame: Frame) -> list[str]:
        """Return the text that a frame completes. The library bounds the sum of the parts."""
        if not frame.fin:
            self._message += frame.data
            return []
        whole, self._message = self._message + frame.data, b""
        try:
            return [whole.decode()]
        except UnicodeDecodeError:
            self.fail(CloseCode.INVALID_DATA, "a text is not UTF-8")
            return []


def _short(reason: str) -> str:
    return reason.encode()[:LONGEST_REASON_BYTES].decode(errors="ignore")
