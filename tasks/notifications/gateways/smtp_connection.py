"""Connections to mail servers, at addresses that may be connected to, judged as they are connected to; a reply that
does not end is cut off."""

from __future__ import annotations

import io
import smtplib
import socket
import ssl
import time
from typing import Any, Final, cast

from app.kernel.addresses import AddressRules, read_address
from tasks.gateways import look_up
from tasks.notifications.gateways.base import LoginRefused, ProviderAway

SECONDS: Final = 15.0
REPLY_BYTES: Final = 64 * 1024


class Checked(smtplib.SMTP):
    """Connects to an address that was checked: what a name leads to is asked once."""

    def __init__(self, rules: AddressRules, tls: ssl.SSLContext) -> None:
        self._rules = rules
        self._tls = tls
        self._bounds: _Bounds
        super().__init__(timeout=SECONDS)

    def connect(self, host: str = "localhost", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
        """Connect; the name is kept for the certificate."""
        self._host = host
        return super().connect(host, port, source_address)

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply: one that does not end, in time or in length, ends the connection."""
        if self.file is None:
            self._bounds = _Bounds(cast("socket.socket", self.sock))
            self.file = io.BufferedReader(self._bounds)
        self._bounds.begin(SECONDS, REPLY_BYTES)
        return super().getreply()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return _open(self._rules, host, port, timeout)


class CheckedTls(Checked):
    """The same, encrypted from the first byte."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._tls.wrap_socket(_open(self._rules, host, port, timeout), server_hostname=host)


class _Bounds(io.RawIOBase):
    """A socket, of which so many bytes are read within so many seconds for each reply."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._ends = 0.0
        self._left = 0

    def begin(self, seconds: float, most: int) -> None:
        self._ends, self._left = time.monotonic() + seconds, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader passes
        seconds = self._ends - time.monotonic()
        if seconds <= 0 or self._left <= 0:
            raise TimeoutError("The reply does not end.")
        self._socket.settimeout(seconds)
        count = self._socket.recv_into(buffer)
        self._socket.settimeout(SECONDS)
        self._left -= count
        return count


def _open(rules: AddressRules, host: str, port: int, timeout: float) -> socket.socket:
    ends = time.monotonic() + timeout

    def keep() -> None:
        if time.monotonic() > ends:
            raise ProviderAway("The mail server's name was not found in time.")

    literal = read_address(host)
    addresses = [str(literal)] if literal is not None else look_up(host, port, keep)
    faults = [fault for one in (host, *addresses) if (fault := rules.find_fault(one))]
    if faults:
        raise LoginRefused(f"The mail server's address {faults[0]}.")
    if not addresses:
        raise ProviderAway("The mail server's name cannot be found.")
    return _reach(addresses, port, ends)


def _reach(addresses: list[str], port: int, ends: float) -> socket.socket:
    """Try one address after the other."""
    failure: OSError = TimeoutError()
    for position, address in enumerate(addresses):
        share = (ends - time.monotonic()) / (len(addresses) - position)
        try:
            return socket.create_connection((address, port), max(share, 0.01))
        except OSError as error:
            failure = error
    raise failure
