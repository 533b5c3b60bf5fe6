"""What is answered to a client of a WebSocket: first it says who it is, then what it wants to hear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from websockets.frames import CloseCode

from app.kernel.errors import AuthRequired, Conflict, HeadraceError, NotFound, RateLimited, Refusal, Unavailable
from app.kernel.handover import MOST_TOPICS, StreamRequest
from app.kernel.principal import Principal
from app.realtime.commands import Auth, Command, Ping, Post, Subscribe, TooManyTopics, Typing, Unread, Unsubscribe
from app.realtime.feed import AWAY
from app.realtime.frames import Frame
from app.realtime.talk import RoomTalk
from app.realtime.topics import Visible, parse_topic

UNKNOWN: Final = 401
UNAUTHORIZED: Final = 4001
NOT_FOUND: Final = 4002
DENIED: Final = 4003
RATE_LIMITED: Final = 4004


class Line(Protocol):
    """The client's end, as far as the conversation needs it."""

    @property
    def topics(self) -> frozenset[str]:
        """What it hears."""

    def tell(self, shape: Mapping[str, Any]) -> None:
        """Send a message."""

    def close(self, code: int, reason: str) -> None:
        """End the connection."""

    def add(self, caller: Principal, visible: Mapping[str, Visible], after: Mapping[str, int]) -> None:
        """Hear topics, each after the event of its number if one is named, else from the first."""

    def mention(self, frame: Frame) -> None:
        """Send what is not kept."""

    def remove(self, topics: frozenset[str]) -> None:
        """Hear topics no more."""

    async def recognize(self, token: str) -> Principal:
        """Return who a token stands for; raises Refusal."""

    async def admit(self, caller: Principal, topics: tuple[str, ...]) -> Mapping[str, Visible]:
        """Return those of the topics that exist for the caller; raises Refusal."""

    def register(self, caller: Principal) -> bool:
        """Tell whether the caller may have one more WebSocket, and count it if so."""


class Conversation:
    """Answers one client. One that came for certain topics hears those once it is known who it is, and no other."""

    __slots__ = ("_line", "_talk", "_wanted", "caller")

    def __init__(self, line: Line, request: StreamRequest, talk: RoomTalk) -> None:
        self._line = line
        self._talk = talk
        self._wanted = request if request.topics else None
        self.caller: Principal | None = None

    async def answer(self, command: Command) -> None:
        """Answer a command. Errors of the database and bugs are raised."""
        if isinstance(command, Auth):
            await self._authenticate(command)
        elif self.caller is None:
            refusal = command.refusal if isinstance(command, Unread) else None
            self._turn_away(
                command, refusal or AuthRequired("The first message is `auth`, with a token."), UNAUTHORIZED
            )
        elif isinstance(command, Unread):
            self._refuse(command, command.refusal)
        elif isinstance(command, Subscribe):
            await self._subscribe(command, self.caller)
        elif isinstance(command, Unsubscribe):
            self._line.remove(frozenset(command.topics))
            self._reply(command, "unsubscribe_result", success=True, topics=command.topics)
        elif isinstance(command, Post):
            await self._post(command, self.caller)
        elif isinstance(command, Typing):
            await self._tell_typing(command, self.caller)
        elif isinstance(command, Ping):
            self._reply(command, "pong")

    async def _authenticate(self, command: Auth) -> None:
        if self.caller is not None:
            self._refuse(command, Conflict("You have said who you are."))
            return
        try:
            caller = await self._line.recognize(command.token)
        except AWAY as error:
            refusal = _as_refusal(error)
            self._turn_away(command, refusal, _close_code(refusal))
            return
        if not self._line.register(caller):
            self._turn_away(command, RateLimited("You have too many WebSockets open."), RATE_LIMITED)
            return
        self.caller = caller
        if self._wanted is None:
            self._reply(command, "auth_result", success=True, user_id=str(caller.user_id))
        else:
            await self._hear_wanted(self._wanted, caller)

    async def _hear_wanted(self, wanted: StreamRequest, caller: Principal) -> None:
        try:
            visible = await self._line.admit(caller, wanted.topics)
        except AWAY as error:
            refusal = _as_refusal(error)
            self._line.close(_close_code(refusal), refusal.message)
            return
        if set(visible) != set(wanted.topics):
            self._line.close(NOT_FOUND, "there is no such resource")
            return
        numbers = wanted.position()
        self._line.add(caller, visible, dict(zip(wanted.topics, numbers, strict=True)) if numbers else {})

    async def _subscribe(self, command: Subscribe, caller: Principal) -> None:
        fresh = tuple(topic for topic in command.topics if topic not in self._line.topics)
        if self._wanted is not None:
            self._refuse(command, Conflict("This connection was opened for one execution; others are heard at /ws."))
            return
        if len(self._line.topics) + len(fresh) > MOST_TOPICS:
            self._refuse(command, TooManyTopics(limit=MOST_TOPICS))
            return
        try:
            self._talk.count_topics(len(fresh))
            visible = await self._line.admit(caller, fresh)
        except AWAY as error:
            self._judge(command, _as_refusal(error))
            return
        refused = [{"topic": topic, "error": _error(_missing(topic))} for topic in fresh if topic not in visible]
        granted = [topic for topic in command.topics if topic in visible or topic not in fresh]
        self._reply(command, "subscribe_result", success=not refused, topics=granted, refused=refused)
        self._line.add(caller, visible, command.after)
        for frame in await self._talk.find_present(visible):
            self._line.mention(frame)

    async def _post(self, command: Post, caller: Principal) -> None:
        try:
            message, is_new = await self._talk.post(caller, command.fields)
        except AWAY as error:
            refusal = _as_refusal(error)
            self._reply(command, "message_result", success=False, error=_error(refusal))
            if refusal.status == UNKNOWN:
                self._line.close(_close_code(refusal), refusal.message)
            return
        self._reply(command, "message_result", success=True, message=message, is_new=is_new)

    async def _tell_typing(self, command: Typing, caller: Principal) -> None:
        topic = f"room:{command.room_id}"
        if topic not in self._line.topics:
            self._refuse(command, NotFound("Subscribe to the room first.", resource_type="room"))
            return
        await self._talk.tell_typing(topic, caller, is_typing=command.is_typing)

    def _judge(self, command: Command, refusal: Refusal) -> None:
        """Refuse; who may not even be here any more is sent away."""
        if refusal.status in (401, 403):
            self._line.close(_close_code(refusal), refusal.message)
        else:
            self._refuse(command, refusal)

    def _turn_away(self, command: Command, refusal: Refusal, code: int) -> None:
        self._reply(command, "auth_result", success=False, error=_error(refusal))
        self._line.close(code, refusal.message)

    def _refuse(self, command: Command, refusal: Refusal) -> None:
        self._reply(command, "error", error=_error(refusal))

    def _reply(self, command: Command, kind: str, **said: Any) -> None:
        about = {} if command.id is None else {"id": command.id}
        self._line.tell({"type": kind, **about, **said})


def _as_refusal(error: Exception) -> Refusal:
    return error if isinstance(error, Refusal) else Unavailable()


def _close_code(refusal: Refusal) -> int:
    return {401: UNAUTHORIZED, 403: DENIED}.get(refusal.status, CloseCode.TRY_AGAIN_LATER)


def _missing(topic: str) -> NotFound:
    parsed = parse_topic(topic)
    if parsed is None:
        return NotFound("There are no such topics; they are called job:{id}, execution:{id}, room:{id} and the like.")
    return NotFound(resource_type=parsed[0], resource_id=str(parsed[1]))


def _error(refusal: HeadraceError) -> dict[str, Any]:
    said: dict[str, Any] = {"code": refusal.code, "message": refusal.message, "details": dict(refusal.details)}
    if isinstance(refusal, Refusal) and refusal.errors:
        said["errors"] = [{"field": fault.field, "message": fault.message} for fault in refusal.errors]
    return said
