"""How the API hands a client's open socket to the stream process: a Unix socket, a greeting, one message.

The stream process greets each connection with `ROOM` or `FULL`; after `ROOM` the API sends a `StreamRequest` as JSON
together with the socket (SCM_RIGHTS) and closes, which ends the message. The greeting comes first so that a refusal
can still be a normal reply; once the socket is sent there is no answer to wait for: from then on only one side may
write to the client.
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
LARGEST_MESSAGE = 64 * 1024
MOST_TOPICS = 100

# Eighteen digits always fit a BIGINT.
_NUMBER = r"[0-9]{1,18}"
_EVENT_POSITION = re.compile(rf"{_NUMBER}(\.{_NUMBER})*")
_LOG_POSITION = re.compile(rf"{_NUMBER}-{_NUMBER}")


class HandoverFailed(Exception):
    """The stream process is away, stopping or full."""


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What one client listens to. A route gives the first five; `open_stream` fills in the rest from the request.

    `topics` are such as `job:{id}`; for a log it is the one topic `log:{step_run_id}`. `ends_on` are the event types
    that end the stream while they are the newest of their topic. `places` are the ids of the places what is listened to
    lies in: the stream ends when its listener does not hold `permission` in any of them any more. `headers` are added
    to the head of the reply.
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
    headers: tuple[tuple[str, str], ...] = ()

    def normalized(self) -> Self:
        """Return it with the topics sorted and named once: the order of the numbers in a compound event id."""
        return replace(self, topics=tuple(sorted(set(self.topics))))

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
            topics, ends_on = tuple(fields.pop("topics")), tuple(fields.pop("ends_on"))
            places = tuple(map(UUID, fields.pop("places")))
            return cls(topics=topics, ends_on=ends_on, places=places, headers=headers, **fields)
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


def _connect(socket_path: Path, timeout: float) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX)
    channel.settimeout(timeout)
    try:
        channel.connect(str(socket_path))
    except OSError as error:
        channel.close()
        raise HandoverFailed("the stream process is away") from error
    return channel
