"""Who a client is and what it may hear: asked of the rows, in threads, at each subscription."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from sqlalchemy.orm import Session

from app.kernel.db import Database
from app.kernel.principal import Principal
from app.realtime.listener import Right
from app.realtime.topics import Visible, visible_topics


class Callers(Protocol):
    """Knows callers by their tokens. Raises AuthRequired or Forbidden for those who are not let in."""

    def recognize(self, token: str, address: str | None = None) -> Principal:
        """Return who a token or key stands for; `address` is where it came from."""

    def renew(self, session: Session, caller: Principal) -> Principal:
        """Return a caller as they are now."""


class Admission:
    """Its methods block."""

    def __init__(self, database: Database, callers: Callers) -> None:
        self._database = database
        self._callers = callers

    def recognize(self, token: str, address: str | None) -> Principal:
        """Return who a token or key stands for; raises AuthRequired or Forbidden."""
        return self._callers.recognize(token, address)

    def admit(self, caller: Principal, topics: Collection[str]) -> Mapping[str, Visible]:
        """Return those of the topics that exist for the caller now; raises AuthRequired or Forbidden."""
        with self._database.transaction() as session:
            return visible_topics(session, self._callers.renew(session, caller), topics)


def right_of(caller: Principal, visible: Visible | None = None) -> Right:
    """Return the right by which a caller hears a topic, or is there at all."""
    return Right(
        user_id=caller.user_id,
        session_id=caller.session_id,
        key_id=caller.key_id,
        permission=visible.permission if visible else "",
        places=visible.places if visible else (),
        expires_at=caller.expires_at.timestamp() if caller.expires_at else None,
    )
