"""What a client of a WebSocket may say: JSON objects with a `type`, read here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from app.kernel.errors import Invalid, Malformed, Refusal
from app.kernel.handover import NEWEST

LONGEST_ID: Final = 128
LONGEST_TOKEN: Final = 8192
LATEST: Final = "latest"


class TooManyTopics(Refusal):
    """A connection listens to 100 topics at most; unsubscribe from some, or open another one."""

    code = "QUOTA_EXCEEDED"
    status = 422


@dataclass(frozen=True, slots=True)
class Command:
    """Something a client wants; the answer to it carries its `id`, if it has one."""

    id: str | None


@dataclass(frozen=True, slots=True)
class Auth(Command):
    """Who the client is."""

    token: str


@dataclass(frozen=True, slots=True)
class Subscribe(Command):
    """What it wants to hear; `after` holds the numbers of the last events it knows of some topics."""

    topics: tuple[str, ...]
    after: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Unsubscribe(Command):
    """What it does not want to hear any more."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ping(Command):
    """Whether somebody is there."""


@dataclass(frozen=True, slots=True)
class Typing(Command):
    """That somebody begins or stops to write in a room."""

    room_id: UUID
    is_typing: bool


@dataclass(frozen=True, slots=True)
class Post(Command):
    """A message to a room, as it was given."""

    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unread(Command):
    """Something that could not be read, or is not understood; `refusal` says why."""

    refusal: Refusal


def read_command(text: str) -> Command:
    """Return what a message says; nothing a client sends raises."""
    try:
        said = orjson.loads(text)
    except ValueError:
        return Unread(None, Malformed("This is not JSON."))
    if not isinstance(said, dict):
        return Unread(None, Malformed("This is not a JSON object."))
    command_id = said.get("id")
    if not isinstance(command_id, str) or len(command_id) > LONGEST_ID:
        command_id = None
    try:
        return _read(said, command_id)
    except Refusal as refusal:
        return Unread(command_id, refusal)


def _read(said: Mapping[str, Any], command_id: str | None) -> Command:
    match said.get("type"):
        case "auth":
            return Auth(command_id, read_token(said.get("token")))
        case "subscribe":
            return Subscribe(command_id, _topics(said), _places(said.get("after", {})))
        case "unsubscribe":
            return Unsubscribe(command_id, _topics(said))
        case "ping":
            return Ping(command_id)
        case "typing":
            return _typing(_body(said), command_id)
        case "message":
            return Post(command_id, _body(said))
        case _:
            raise Malformed("`type` is one of auth, subscribe, unsubscribe, message, typing, ping.")


def read_token(given: object) -> str:
    """Return a token; raises Invalid when it cannot be one."""
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_TOKEN:
        raise Invalid("`token` is a text: an access token or a key.")
    return given


def _body(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said beside the type: next to it, or in an object of its own, `data`."""
    given = {name: value for name, value in said.items() if name not in ("type", "id", "data", "timestamp")}
    inner = said.get("data", {})
    if not isinstance(inner, dict):
        raise Invalid("`data` is an object.")
    return {**given, **inner}


def _typing(body: Mapping[str, Any], command_id: str | None) -> Typing:
    is_typing = body.get("is_typing", True)
    try:
        room_id = UUID(body["room_id"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise Invalid("`room_id` is the id of a room.") from None
    if not isinstance(is_typing, bool):
        raise Invalid("`is_typing` is true or false.")
    return Typing(command_id, room_id, is_typing)


def _topics(said: Mapping[str, Any]) -> tuple[str, ...]:
    given = said.get("topics")
    if not isinstance(given, list) or not given or not all(isinstance(topic, str) for topic in given):
        raise Invalid("`topics` is a list of texts such as `job:{id}`.")
    return tuple(dict.fromkeys(given))


def _places(given: object) -> Mapping[str, int]:
    if not isinstance(given, dict):
        raise Invalid("`after` is an object from topics to the ids of their last events.")
    return {topic: _place(number) for topic, number in given.items()}


def _place(given: object) -> int:
    """Read an id as events carry it, a text of digits; a plain number does as well."""
    if given == LATEST:
        return NEWEST
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) <= len(str(NEWEST)):
        return int(given)
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= NEWEST:
        return given
    raise Invalid(f"`after` names the ids of events, or `{LATEST}`.")
