"""A connection to a server of others: to a checked address, and with a deadline for each thing that is waited for."""

from __future__ import annotations

import io
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.kernel.addresses import AddressRules, read_address
from tasks.gateways.errors import CertificateRefused, DestinationRefused, TooSlow, Unreachable
from tasks.gateways.lookup import POLL_SECONDS, Keep, look_up

_PIECE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds: to be connected (name, TCP and TLS together), from there to the answer's first byte, between two
    pieces of an answer, and for all of it."""

    connect: float = 5.0
    first_byte: float = 15.0
    idle: float = 15.0
    whole: float = 60.0


@dataclass(frozen=True, slots=True)
class Destination:
    """A server; `tls` is None for plain HTTP, `server_name` what its certificate is to say.

    With `socket_path` it is one of this machine, behind a Unix socket that an operator named.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    server_name: str
    socket_path: str | None = None


class Wire:
    """What `http.client` needs of a socket. `begin` starts the clock of one exchange."""

    def __init__(self, connection: socket.socket, keep: Keep) -> None:
        self._socket = connection
        self._keep = keep
        self._ends = 0.0
        self._idle = 0.0

    def begin(self, ends: float, idle: float) -> None:
        """Wait for nothing beyond the monotonic time `ends`, and never longer than `idle` for one piece."""
        self._ends, self._idle = ends, idle

    def sendall(self, data: bytes) -> None:
        """Send everything; raises TooSlow or Unreachable."""
        view = memoryview(data)
        while view:
            view = view[self._wait_for(self._socket.send, view[:_PIECE]) :]

    def receive(self, buffer: memoryview) -> int:
        """Wait for the next bytes; raises TooSlow or Unreachable."""
        return self._wait_for(self._socket.recv_into, buffer)

    def take(self, seconds: float) -> bytes | None:
        """Return what comes within `seconds`: nothing at the connection's end, None where nothing came."""
        self._keep()
        self._socket.settimeout(max(min(seconds, POLL_SECONDS), 0.001))
        try:
            return self._socket.recv(_PIECE)
        except TimeoutError:
            return None
        except OSError as error:
            raise Unreachable("The connection was lost.") from error

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the wire as a file. Closing it leaves the connection open, for the next request."""
        return io.BufferedReader(_Reading(self), _PIECE)

    def is_stale(self) -> bool:
        """Tell whether a connection that should be quiet is not: the server closed it, or says what nobody asked."""
        waiting = select.poll()
        try:
            waiting.register(self._socket, select.POLLIN)
            return bool(waiting.poll(0))
        except (OSError, ValueError):
            return True

    def close(self) -> None:
        """Do nothing: `http.client` lets go of its socket before the answer is read. See `hang_up`."""

    def hang_up(self) -> None:
        """End the connection."""
        self._socket.close()

    def _wait_for(self, act: Callable[[memoryview], int], buffer: memoryview) -> int:
        until = min(self._ends, time.monotonic() + self._idle)
        while True:
            self._keep()
            left = until - time.monotonic()
            if left <= 0:
                raise TooSlow
            self._socket.settimeout(min(left, POLL_SECONDS))
            try:
                return act(buffer)
            except TimeoutError:
                continue
            except OSError as error:
                raise Unreachable("The connection was lost.") from error


class _Reading(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader passes
        return self._wire.receive(buffer)


def open_wire(destination: Destination, rules: AddressRules, seconds: float, keep: Keep) -> Wire:
    """Connect to a server; raises DestinationRefused, CertificateRefused, TooSlow, Unreachable, or what `keep` does."""
    ends = time.monotonic() + seconds
    if destination.socket_path is not None:
        return Wire(_connect_here(destination.socket_path, seconds), keep)
    addresses = _find_addresses(destination, rules, ends, keep)
    connection = _connect(addresses, destination.port, ends)
    if destination.tls is None:
        return Wire(connection, keep)
    try:
        return Wire(_secure(connection, destination.tls, destination.server_name, ends), keep)
    except BaseException:
        connection.close()
        raise


def _find_addresses(destination: Destination, rules: AddressRules, ends: float, keep: Keep) -> list[str]:
    """Names that lead to even one address which is not allowed are refused: the next answer may hold that one alone."""

    def keep_time() -> None:
        keep()
        if time.monotonic() > ends:
            raise TooSlow("The server's name was not found in time.", step="name")

    fault = rules.find_fault(destination.host)
    literal = read_address(destination.host)
    if fault is not None:
        addresses = []
    elif literal is not None:
        addresses = [str(literal)]
    else:
        addresses = look_up(destination.host, destination.port, keep_time)
    faults = [fault] if fault else [rules.find_fault(address) for address in addresses]
    for found in faults:
        if found is not None:
            raise DestinationRefused(f"The server's address {found}.", step="connect")
    if not addresses:
        raise Unreachable("The server's name cannot be found.", step="name")
    return addresses


def _connect(addresses: list[str], port: int, ends: float) -> socket.socket:
    """Try one after the other; each gets its share of the time that is left."""
    failure: OSError | None = None
    for position, address in enumerate(addresses):
        share = (ends - time.monotonic()) / (len(addresses) - position)
        try:
            connection = socket.create_connection((address, port), timeout=max(share, 0.01))
        except OSError as error:
            failure = error
            continue
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    if isinstance(failure, TimeoutError):
        raise TooSlow("The server could not be connected to in time.", step="connect") from failure
    raise Unreachable("The server cannot be connected to.", step="connect") from failure


def _connect_here(path: str, seconds: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(seconds)
        connection.connect(path)
    except OSError as error:
        connection.close()
        raise Unreachable("The server's socket cannot be connected to.") from error
    return connection


def _secure(connection: socket.socket, tls: ssl.SSLContext, name: str, ends: float) -> socket.socket:
    try:
        connection.settimeout(max(ends - time.monotonic(), 0.01))
        return tls.wrap_socket(connection, server_hostname=name)
    except ssl.SSLCertVerificationError as error:
        why = f"The server's certificate cannot be trusted: {error.verify_message}."
        raise CertificateRefused(why, step="tls") from error
    except TimeoutError as error:
        raise TooSlow("The server did not end its TLS handshake in time.", step="tls") from error
    except (OSError, ValueError) as error:
        raise Unreachable("The server's TLS handshake failed.", step="tls") from error
