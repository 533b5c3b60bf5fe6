"""How much one connection may say."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from app.kernel.errors import RateLimited
from app.kernel.principal import Principal
from app.realtime.talk import MESSAGES_PER_TURN, TOPICS_PER_TURN, TYPINGS_PER_TURN, RoomTalk


class Quiet:
    """A house in which whatever is said is counted."""

    admission: Any = type("Nobody", (), {"post": None})
    presence: Any = None

    def __init__(self) -> None:
        self.posted: list[Any] = []
        self.told: list[Any] = []

    async def read_apart(self, _function: Any, *arguments: Any) -> Any:
        """Count a message."""
        self.posted.append(arguments)
        return {}, True

    async def tell(self, event: Any) -> None:
        """Count something that is not kept."""
        self.told.append(event)


def test_a_connection_says_so_much_in_a_turn_and_again_in_the_next() -> None:
    house, ann = Quiet(), Principal(uuid4(), "ann")
    talk = RoomTalk(house)

    async def say(count: int) -> None:
        for _ in range(count):
            await talk.post(ann, {})

    asyncio.run(say(MESSAGES_PER_TURN))
    with pytest.raises(RateLimited) as refused:
        asyncio.run(say(1))
    assert refused.value.details["limit"] == MESSAGES_PER_TURN
    talk.begin_turn()
    asyncio.run(say(1))
    assert len(house.posted) == MESSAGES_PER_TURN + 1


def test_who_asks_for_topics_all_the_time_has_to_wait() -> None:
    talk = RoomTalk(Quiet())
    for _ in range(TOPICS_PER_TURN // 100):
        talk.count_topics(100)
    with pytest.raises(RateLimited):
        talk.count_topics(1)
    talk.begin_turn()
    talk.count_topics(100)


def test_who_types_all_the_time_is_told_of_now_and_then() -> None:
    house = Quiet()
    talk = RoomTalk(house)
    for _ in range(TYPINGS_PER_TURN + 5):
        asyncio.run(talk.tell_typing(f"room:{uuid4()}", Principal(uuid4(), "ann"), is_typing=True))
    assert len(house.told) == TYPINGS_PER_TURN
