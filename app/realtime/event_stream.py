"""A client of server-sent events: it listens, and says nothing."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from app.kernel.handover import StreamRequest
from app.realtime.frames import END, PING, Batch, Frame, event_stream_head, position_id, rest_of, retry_in
from app.realtime.listener import Keeper, Listener, Place, Right

# A pipelined request is ignored, a flood ends the connection.
MOST_HEARD_BYTES = 64 * 1024


class EventStream(Listener):
    """One stream of server-sent events; its ids name the place in each of its topics, joined by dots."""

    __slots__ = ("_heard",)

    kind: ClassVar[str] = "sse"

    def __init__(self, keeper: Keeper, ends_on: tuple[str, ...]) -> None:
        super().__init__(keeper, ends_on)
        self._heard = 0

    def start(self, request: StreamRequest) -> None:
        """Begin the reply, and tell what is new to the client."""
        self.connection.send(event_stream_head(request.headers))
        self.catch_up()

    def hear(self, data: bytes) -> None:
        """Ignore it."""
        self._heard += len(data)
        if self._heard > MOST_HEARD_BYTES:
            self.connection.drop()

    def send(self, place: Place, batch: Batch) -> None:
        """Send what of the frames is new at `place`."""
        frames = batch.frames
        if len(self.places) == 1 and frames[0].after == place.position:
            place.position = frames[-1].last
            self.connection.send(batch.text)
        elif rendered := b"".join([self._render(place, frame) for frame in frames if frame.last > place.position]):
            self.connection.send(rendered)

    def mention(self, frame: Frame) -> None:
        """Send what is not kept: without an id, so that the place to resume stays."""
        self.connection.send(frame.text)

    def finish(self, last_words: bytes = END) -> None:
        """End the stream in good order."""
        self._leave()
        self.connection.finish(last_words)

    def send_away(self, milliseconds: int) -> None:
        """Name the time after which the client is to come again; its last id is where it resumes."""
        self.finish(retry_in(milliseconds))

    def lose(self, rights: Collection[Right]) -> None:  # noqa: ARG002  the stream stands on all of its rights
        """End the stream: the client is told why when it comes again."""
        self.send_away(0)

    def give_sign(self) -> None:
        """Send a comment."""
        self.connection.send(PING)

    def give_up(self) -> None:
        """Close: what the kernel has taken still reaches the client, if it ever reads again."""
        self.connection.drop()

    def _render(self, place: Place, frame: Frame) -> bytes:
        frame = rest_of(frame, place.position)
        place.position = frame.last
        if len(self.places) == 1:
            return frame.text
        compound = position_id(tuple(place.position[0] for place in self.places), ".")
        return b"id: %s\n%s" % (compound.encode(), frame.body)
