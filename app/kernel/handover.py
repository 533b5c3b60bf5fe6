"""How the API hands a client's open socket to the stream process: a Unix socket, a greeting, one message.

The stream process greets each connection with `ROOM` or `FULL`; after `ROOM` the API sends a `StreamRequest` as JSON
together with the socket (SCM_RIGHTS) and closes, which ends the message. The greeting comes first so that a refusal
can still be a normal reply; once the socket is sent there is no answer to wait for: from then on only one side may
write to the client. A visitor who brings `COUNT` instead is told how many are served.
"""

from __future__ import annotations

import re
import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self
from uuid import UUID

import orjson

ROOM = b"+"
FULL = b"-"
COUNT = b"?"
LARGEST_MESSAGE = 64 * 1024
MOST_TOPICS = 100
# As a place to resume from: what is new from now on. Places beyond the newest one begin there.
NEWEST = 10**18 - 1

# Eighteen digits always fit a BIGINT.
_NUMBER = r"[0-9]{1,18}"
_EVENT_POSITION = re.compile(rf"{_NUMBER}(\.{_NUMBER})*")
_LOG_POSITION = re.compile(rf"{_NUMBER}-{_NUMBER}")


# A permission, and the places in one of which it has to be held.
Ground = tuple[str, tuple[UUID, ...]]


class HandoverFailed(Exception):
    """The stream process is away, stopping or full."""


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What one client listens to. A route gives the first five; `open_stream` fills in the rest from the request.

    `topics` are such as `job:{id}`; for a log it is the one topic `log:{step_run_id}`. `ends_on` are the event types
    that end the stream while they are the newest of their topic. `places` are the ids of the places what is listened to
    lies in: the stream ends when its listener does not hold `permission` in any of them any more. `grounds` say so for
    each topic where there may be several. `headers` are added to the head of the reply. A WebSocket has not been
    judged: its `token` is, or the one it sends first; `address` is where it comes from.
    """

    reading: Literal["events", "log"]
    topics: tuple[str, ...]
    ends_on: tuple[str, ...] = ()
    places: tuple[UUID, ...] = ()
    protocol: Literal["sse", "websocket"] = "sse"
    last_event_id: str | None = None
    user_id: str = ""
    session_id: str | None = None
    key_id: str | None = None
    permission: str = ""
    expires_at: str | None = None
    grounds: tuple[Ground, ...] = ()
    token: str | None = None
    address: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def normalized(self) -> Self:
        """Return it with the topics sorted and named once: the order of the numbers in a compound event id."""
        grounds = dict(zip(self.topics, self.ground_of_each(), strict=True))
        topics = tuple(sorted(grounds))
        return replace(self, topics=topics, grounds=tuple(grounds[topic] for topic in topics))

    def ground_of_each(self) -> tuple[Ground, ...]:
        """Return on what each topic is heard."""
        return self.grounds or ((self.permission, self.places),) * len(self.topics)

    def position(self) -> tuple[int, ...] | None:
        """Return the place after which to read, or None for a fresh start.

        A number per topic for events, `(attempt, seq)` for a log. Raises ValueError when `last_event_id` is junk.
        """
        if not self.last_event_id:
            return None
        if self.reading == "log":
            if _LOG_POSITION.fullmatch(self.last_event_id) is None:
                raise ValueError("must be an id of this log, such as 1-250")
            return tuple(int(number) for number in self.last_event_id.split("-"))
        numbers = self.last_event_id.split(".")
        if _EVENT_POSITION.fullmatch(self.last_event_id) is None or len(numbers) != len(self.topics):
            raise ValueError("must be an id of this stream, such as 12, or 12.7 for two topics")
        return tuple(int(number) for number in numbers)

    def to_json(self) -> bytes:
        """Return the message's text."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, message: bytes) -> Self:
        """Read a message's text; raises ValueError when it is not one."""
        try:
            fields: dict[str, Any] = orjson.loads(message)
            headers = tuple((str(name), str(value)) for name, value in fields.pop("headers"))
            lists: dict[str, Any] = {name: tuple(fields.pop(name)) for name in ("topics", "ends_on")}
            places = tuple(map(UUID, fields.pop("places")))
            grounds = tuple((str(held), tuple(map(UUID, where))) for held, where in fields.pop("grounds"))
            return cls(places=places, grounds=grounds, headers=headers, **lists, **fields)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError("not a stream request") from error


class Handover:
    """A place in the stream process, held until the socket is passed or the place is given back by `close`."""

    def __init__(self, socket_path: Path, timeout: float = 3.0) -> None:
        """Ask for a place; raises HandoverFailed within `timeout` seconds when there is none."""
        self._channel = _connect(socket_path, timeout)
        try:
            greeting = self._channel.recv(1)
        except OSError as error:
            self.close()
            raise HandoverFailed("the stream process does not answer") from error
        if greeting != ROOM:
            self.close()
            raise HandoverFailed("the stream process is full" if greeting == FULL else "the stream process is stopping")

    def pass_socket(self, client: socket.socket, request: StreamRequest) -> None:
        """Send the socket and what it is for; the caller must not write to it afterwards. Raises HandoverFailed."""
        try:
            message = request.to_json()
            sent = socket.send_fds(self._channel, [message], [client.fileno()])
            self._channel.sendall(message[sent:])
        except OSError as error:
            raise HandoverFailed("the stream process went away") from error
        finally:
            self.close()

    def close(self) -> None:
        """Give the place back, if the socket was not passed."""
        self._channel.close()


def ping(socket_path: Path, timeout: float = 1.0) -> bool:
    """Tell whether a stream process answers; a full one does."""
    try:
        channel = _connect(socket_path, timeout)
    except HandoverFailed:
        return False
    with channel:
        try:
            return channel.recv(1) in (ROOM, FULL)
        except OSError:
            return False


def count_listeners(socket_path: Path, timeout: float = 1.0) -> dict[str, int]:
    """Return what a stream process counts: `sse` and `websocket` listeners now, `dropped` slow ones since its start.

    Raises HandoverFailed when none answers.
    """
    channel = _connect(socket_path, timeout)
    with channel:
        try:
            # A full process closes after its greeting; what it counts is asked for before that is read.
            channel.sendall(COUNT)
            channel.shutdown(socket.SHUT_WR)
            told = b"".join(iter(lambda: channel.recv(1024), b""))
            counts: dict[str, int] = orjson.loads(told[len(ROOM) :])
        except (OSError, ValueError) as error:
            raise HandoverFailed("the stream process does not tell how many it serves") from error
    return counts


def _connect(socket_path: Path, timeout: float) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX)
    channel.settimeout(timeout)
    try:
        channel.connect(str(socket_path))
    except OSError as error:
        channel.close()
        raise HandoverFailed("the stream process is away") from error
    return channel
