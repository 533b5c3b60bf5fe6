"""What the client of one WebSocket does in chat rooms: it is there, it types, it says something."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol

from app.kernel.errors import RateLimited
from app.kernel.principal import Principal
from app.kernel.stream import Delivered
from app.realtime.admission import Admission
from app.realtime.frames import Frame, passing_frame
from app.realtime.passing import typing_event
from app.realtime.presence import Presence
from app.realtime.topics import has_presence, room_of

MESSAGES_PER_TURN: Final = 150
TYPINGS_PER_TURN: Final = 15
TOPICS_PER_TURN: Final = 400
SECONDS_PER_TURN: Final = 15


class House(Protocol):
    """What it takes of the hub."""

    admission: Admission
    presence: Presence

    async def read_apart(self, function: Any, *arguments: Any) -> Any:
        """Run a function that blocks, in a thread that serves single listeners."""

    async def tell(self, event: Delivered) -> None:
        """Tell something that is not kept to all who hear its topic, in every process."""


class RoomTalk:
    """One client's; `begin_turn` is called each SECONDS_PER_TURN, from when on it may say as much again."""

    __slots__ = ("_asked", "_house", "_posted", "_present", "_typed")

    def __init__(self, house: House) -> None:
        self._house = house
        self._present: dict[str, str] = {}
        self._asked = self._posted = self._typed = 0

    def begin_turn(self) -> None:
        """Forget how much was said."""
        self._asked = self._posted = self._typed = 0

    def count_topics(self, count: int) -> None:
        """Count topics that are asked for, each of which is judged and read; raises RateLimited."""
        self._asked += count
        _refuse_beyond(TOPICS_PER_TURN, self._asked)

    async def post(self, caller: Principal, fields: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
        """Store a message; returns it as clients see it, and whether it is new. Raises Refusal."""
        self._posted += 1
        _refuse_beyond(MESSAGES_PER_TURN, self._posted)
        stored: tuple[Mapping[str, Any], bool]
        stored = await self._house.read_apart(self._house.admission.post, caller, fields)
        return stored

    async def tell_typing(self, topic: str, caller: Principal, *, is_typing: bool) -> None:
        """Tell the others in a room that the caller types; who says so all the time is not told of."""
        self._typed += 1
        if self._typed <= TYPINGS_PER_TURN:
            await self._house.tell(typing_event(topic, caller, is_typing=is_typing))

    async def find_present(self, topics: Collection[str]) -> list[Frame]:
        """Return the frames that tell who is in the rooms among the topics."""
        rooms = [topic for topic in topics if room_of(topic) is not None]
        return [passing_frame(event) for event in await self._house.presence.snapshots(rooms)]

    def appear(self, caller: Principal, topics: Collection[str]) -> None:
        """Let it be known that the caller is there, by the others in the rooms among the topics and by who sends them
        notifications; an application is nowhere."""
        if caller.user_id == caller.client_id:
            return
        for topic in topics:
            if has_presence(topic):
                self._present[topic] = str(caller.user_id)
                self._house.presence.arrive(topic, str(caller.user_id))

    def disappear(self, topics: Collection[str]) -> None:
        """Let them know that the caller is not there any more."""
        for topic in topics:
            user_id = self._present.pop(topic, None)
            if user_id is not None:
                self._house.presence.depart(topic, user_id)

    def leave(self) -> None:
        """Be nowhere any more."""
        self.disappear(tuple(self._present))


def _refuse_beyond(most: int, count: int) -> None:
    if count > most:
        raise RateLimited(limit=most, window=SECONDS_PER_TURN, retry_after=SECONDS_PER_TURN)
