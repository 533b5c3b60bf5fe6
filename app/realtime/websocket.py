"""A client of a WebSocket: its messages are answered in order, and its events come as text frames."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final, Protocol

import orjson
from websockets.frames import CloseCode

from app.kernel.handover import StreamRequest
from app.kernel.principal import Principal
from app.realtime.admission import Admission, right_of
from app.realtime.commands import Auth, Command, read_command
from app.realtime.conversation import NOT_FOUND, RATE_LIMITED, UNAUTHORIZED, Conversation
from app.realtime.dialects import tell_execution_update
from app.realtime.frames import Batch, Frame, packet, websocket_head
from app.realtime.listener import Keeper, Listener, Place, Right
from app.realtime.talk import House as TalkHouse
from app.realtime.talk import RoomTalk
from app.realtime.topics import Visible
from app.realtime.wire import Wire

log = logging.getLogger(__name__)

# Beats come each fifteen seconds: a ping each thirty, silence for seventy-five, five minutes without a use.
BEATS_PER_PING: Final = 2
BEATS_OF_SILENCE: Final = 5
BEATS_OF_IDLENESS: Final = 20
FRAMES_PER_BEAT: Final = 500
# Before anybody is known, nobody may fill our memory.
MOST_EARLY_BYTES: Final = 64 * 1024


class House(Keeper, TalkHouse, Protocol):
    """What a WebSocket needs of the hub beyond what any listener does."""

    admission: Admission
    auth_seconds: float

    def place(self, listener: Listener, topic: str, position: tuple[int, ...] | None, right: Right) -> Place:
        """Return a place in a topic."""

    def release(self, place: Place) -> None:
        """Take a place back."""

    def register(self, caller: Principal) -> bool:
        """Tell whether one more WebSocket of this caller is allowed, and count it if so."""


class WebSocket(Listener):
    """One WebSocket; a request with topics is one for an execution, and hears of it in that dialect."""

    __slots__ = (
        "_address",
        "_answering",
        "_beats",
        "_conversation",
        "_deadline",
        "_early",
        "_house",
        "_idle",
        "_inbox",
        "_is_of_execution",
        "_silent",
        "_talk",
        "_wire",
    )

    kind: ClassVar[str] = "websocket"

    def __init__(self, house: House, request: StreamRequest) -> None:
        super().__init__(house, request.ends_on)
        self._house = house
        self._address = request.address
        self._is_of_execution = bool(request.topics)
        self._talk = RoomTalk(house)
        self._conversation = Conversation(self, request, self._talk)
        self._wire = Wire()
        self._inbox: deque[Command] = deque()
        self._answering: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._early = self._beats = self._silent = self._idle = 0

    @property
    def caller(self) -> Principal | None:
        """Who the client is, once it has said so."""
        return self._conversation.caller

    @property
    def topics(self) -> frozenset[str]:
        """What it hears."""
        return frozenset(place.topic for place in self.places)

    @property
    def rights(self) -> set[Right]:
        """The rights it stands on: that of being here, and those of its topics."""
        return {right_of(self.caller), *super().rights} if self.caller else set()

    def start(self, request: StreamRequest) -> None:
        """Complete the handshake, and wait for the client to say who it is."""
        self.connection.send(websocket_head(request.headers))
        if request.token is not None:
            self._take([Auth(None, request.token)])
        else:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self._house.auth_seconds, self._miss_deadline)

    def hear(self, data: bytes) -> None:
        """Take what the client has sent."""
        self._silent = 0
        texts = self._wire.receive(data)
        if self.caller is None:
            self._early += len(data)
            if self._early > MOST_EARLY_BYTES and self._wire.is_open:
                self._wire.fail(CloseCode.MESSAGE_TOO_BIG, "say who you are first")
        said = self._wire.answer()
        if not self._wire.is_open:
            self._end(said)
            return
        if said:
            self.connection.send(said)
        if self._wire.frames > FRAMES_PER_BEAT:
            self.close(RATE_LIMITED, "too many messages; wait and come again")
        elif texts:
            # It has spoken in time; how long the answer takes is our affair.
            self._forget_deadline()
            self._idle = 0
            self._take([read_command(text) for text in texts])

    def send(self, place: Place, batch: Batch) -> None:
        """Send what of the frames is new at `place`."""
        fresh = batch
        if batch.frames[0].after != place.position:
            fresh = Batch([frame for frame in batch.frames if frame.last > place.position])
        if not fresh.frames:
            return
        place.position = fresh.frames[-1].last
        if self._is_of_execution:
            self.connection.send(b"".join([tell_execution_update(frame) for frame in fresh.frames]))
        else:
            self.connection.send(fresh.packets)

    def tell(self, shape: Mapping[str, Any]) -> None:
        """Send a message."""
        self.connection.send(packet(orjson.dumps(shape)))

    def add(self, caller: Principal, visible: Mapping[str, Visible], after: Mapping[str, int]) -> None:
        """Hear topics, each after the event of its number if one is named, else from the first."""
        self.places += tuple(
            self._house.place(self, topic, (after[topic],) if topic in after else None, right_of(caller, one))
            for topic, one in visible.items()
        )
        self.catch_up()
        self._talk.appear(caller, visible)

    def remove(self, topics: frozenset[str]) -> None:
        """Hear topics no more."""
        removed = [place for place in self.places if place.topic in topics]
        self._stop_catching_up()
        self._talk.disappear(topics)
        for place in removed:
            place.leave()
            self._house.release(place)
        self.places = tuple(place for place in self.places if place.topic not in topics)
        self.catch_up()

    def close(self, code: int, reason: str, **more: Any) -> None:
        """End the connection; one that hears something is told where to resume."""
        if self.connection.is_finished:
            return
        after = {place.topic: str(place.position[0]) for place in self.places}
        shape = {"type": "closing", "code": code, "reason": reason, "after": after, **more}
        self._end((packet(orjson.dumps(shape)) if after else b"") + self._wire.close(code, reason))

    def finish(self) -> None:
        """End the connection: all it was to tell is told."""
        self.close(CloseCode.NORMAL_CLOSURE, "the execution has ended")

    def send_away(self, milliseconds: int) -> None:
        """End the connection because this process ends; the client is to come again after a while."""
        if self.caller is not None and not self.connection.is_finished:
            self.tell({"type": "server.shutdown", "reconnect_after_ms": milliseconds})
        self.close(CloseCode.GOING_AWAY, f"come again in {milliseconds} ms", retry_after_ms=milliseconds)

    def lose(self, rights: Collection[Right]) -> None:
        """End what was heard by rights that are gone, or all of it with the right to be here."""
        if self.caller is None or right_of(self.caller) in rights:
            self.close(UNAUTHORIZED, "the login has ended")
            return
        lost = frozenset(place.topic for place in self.places if place.right in rights)
        if self._is_of_execution and lost:
            self.close(NOT_FOUND, "there is no such resource any more")
        elif lost:
            self.remove(lost)
            self.tell({"type": "unsubscribed", "topics": sorted(lost), "reason": "the right to hear it has ended"})

    def give_sign(self) -> None:
        """Ping now and then, and part from a client that is not there any more, or wants nothing."""
        self._beats += 1
        self._silent += 1
        self._idle += 1
        self._wire.frames = 0
        self._talk.begin_turn()
        if self._silent > BEATS_OF_SILENCE:
            self.connection.drop()
        elif self._idle > BEATS_OF_IDLENESS and not self.places:
            self.close(CloseCode.NORMAL_CLOSURE, "nothing was asked for in five minutes")
        elif self._beats % BEATS_PER_PING == 0:
            self.connection.send(self._wire.ping())

    def give_up(self) -> None:
        """Close, behind all that waits; who reads it in time learns where to resume."""
        self.close(CloseCode.TRY_AGAIN_LATER, "too slow; resume after the last event")

    async def recognize(self, token: str) -> Principal:
        """Return who a token stands for; raises Refusal."""
        recognize = self._house.admission.recognize
        caller: Principal = await self._house.read_apart(recognize, token, self._address)
        return caller

    def mention(self, frame: Frame) -> None:
        """Send what is not kept."""
        if not self._is_of_execution:
            self.connection.send(packet(frame.shape))

    async def admit(self, caller: Principal, topics: tuple[str, ...]) -> Mapping[str, Visible]:
        """Return those of the topics that exist for the caller; raises Refusal."""
        found: Mapping[str, Visible] = await self._house.read_apart(self._house.admission.admit, caller, topics)
        return found

    def register(self, caller: Principal) -> bool:
        """Tell whether the caller may have one more WebSocket, and count it if so."""
        return self._house.register(caller)

    def _take(self, commands: list[Command]) -> None:
        """Answer these, and hear nothing more until that is done."""
        self._inbox.extend(commands)
        if self._answering is None:
            self.connection.stop_listening()
            self._answering = asyncio.get_running_loop().create_task(self._answer())

    async def _answer(self) -> None:
        try:
            while self._inbox and not self.connection.is_finished:
                await self.connection.drained()
                await self._conversation.answer(self._inbox.popleft())
        except Exception:
            log.exception("a message could not be answered")
            self.close(CloseCode.INTERNAL_ERROR, "something went wrong on our side")
        finally:
            self._answering = None
        self.connection.listen()

    def _miss_deadline(self) -> None:
        self.close(UNAUTHORIZED, f"nobody said who they are within {self._house.auth_seconds:g} seconds")

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self, last_words: bytes) -> None:
        self._leave()
        self.connection.finish(last_words)

    def _leave(self) -> None:
        super()._leave()
        self._talk.leave()
        self._forget_deadline()
        if self._answering is not None and self._answering is not asyncio.current_task():
            self._answering.cancel()
