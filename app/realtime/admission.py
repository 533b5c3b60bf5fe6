"""Who a client is and what it may hear: asked of the rows, in threads, at each subscription."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

from sqlalchemy.orm import Session

from app.kernel.db import Database
from app.kernel.errors import Forbidden
from app.kernel.principal import Principal
from app.messaging import read_message, send_message, shape
from app.realtime.listener import Right
from app.realtime.topics import Visible, room_of, visible_topics

WRITE: Final = "messages:write"


class Callers(Protocol):
    """Knows callers by their tokens. Raises AuthRequired or Forbidden for those who are not let in."""

    def recognize(self, token: str, address: str | None = None) -> Principal:
        """Return who a token or key stands for; `address` is where it came from."""

    def renew(self, session: Session, caller: Principal) -> Principal:
        """Return a caller as they are now."""


CountMessage = Callable[[Principal], None]
"""Counts a message of a caller; raises RateLimited."""


class Admission:
    """Its methods block."""

    def __init__(self, database: Database, callers: Callers, count: CountMessage) -> None:
        self._database = database
        self._callers = callers
        self._count = count

    def recognize(self, token: str, address: str | None) -> Principal:
        """Return who a token or key stands for; raises AuthRequired or Forbidden."""
        return self._callers.recognize(token, address)

    def admit(self, caller: Principal, topics: Collection[str]) -> Mapping[str, Visible]:
        """Return those of the topics that exist for the caller now; raises AuthRequired or Forbidden."""
        with self._database.transaction() as session:
            return visible_topics(session, self._callers.renew(session, caller), topics)

    def post(self, caller: Principal, fields: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """Store a message of a caller as they are now; returns it as clients see it, and whether it is new.

        Raises Refusal.
        """
        with self._database.transaction() as session:
            caller = self._callers.renew(session, caller)
            if caller.client_id is None or not caller.may(WRITE, caller.client_id):
                raise Forbidden(required_permission=WRITE)
            self._count(caller)
            message, is_new = send_message(session, caller, read_message(dict(fields)))
            return shape(message), is_new


def right_of(caller: Principal, visible: Visible | None = None) -> Right:
    """Return the right by which a caller hears a topic, or is there at all."""
    return Right(
        user_id=caller.user_id,
        session_id=caller.session_id,
        key_id=caller.key_id,
        permission=visible.permission if visible else "",
        places=visible.places if visible else (),
        expires_at=caller.expires_at.timestamp() if caller.expires_at else None,
        room_id=room_of(visible.topic) if visible else None,
    )
