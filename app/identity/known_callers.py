"""Callers who were recognized a moment ago: while nobody's rights change, a request need not ask for its caller's.

Every write to a table that rights are read from renews a stamp in Redis, after its commit and before its reply. A
caller is believed for as long as the stamp is the one that was read before them, so that what was taken away is missing
at the next request, in every process. Without Redis nobody is believed.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from typing import Final

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction

from app.identity.models import ApiKey, Client, ClientKey, LoginSession, Membership, Role, RoleAssignment, User
from app.kernel.clock import utc_now
from app.kernel.db import Database, note, table_of
from app.kernel.principal import Principal
from app.kernel.stamp import Stamp

BELIEVED_SECONDS: Final = 5.0
"""How long without another look: as late may be what ends by the clock, and what was written by a process that died
between its commit and the stamp, or by one that could not reach Redis."""

MOST_CALLERS: Final = 10_000
RIGHTS: Final = "rights"
LEAVES_RIGHTS: Final = "leaves_rights"
"""The option of a statement that writes to such a table and changes nobody's rights, as each key's last use is."""

_MODELS = (User, Client, ClientKey, LoginSession, ApiKey, Membership, Role, RoleAssignment)
_TABLES = frozenset(table_of(model) for model in _MODELS)


@dataclass(frozen=True, slots=True)
class _Known:
    stamp: bytes
    until: float
    caller: Principal


class KnownCallers:
    """The callers of one process, by a hash of what they sent, and as what: a token or a key itself is kept nowhere."""

    def __init__(self, stamp: Stamp) -> None:
        self._stamp = stamp
        self._lock = Lock()
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def recognize(self, kind: str, credential: str, look_up: Callable[[], Principal]) -> Principal:
        """Return who sends a credential, by `look_up` unless they are known; what that raises is not kept. `kind` tells
        `look_up`s from each other: what one of them lets in, another may not."""
        stamp = self._stamp.read()
        if stamp is None:
            return look_up()
        key = blake2b(credential.encode("utf-8", "surrogatepass"), digest_size=32, person=kind.encode()).digest()
        known = self._known.get(key)
        if known is not None and known.stamp == stamp and time.monotonic() < known.until and _is_on(known.caller):
            return known.caller
        caller = look_up()
        self._keep(key, _Known(stamp, time.monotonic() + BELIEVED_SECONDS, caller))
        return caller

    def _keep(self, key: bytes, known: _Known) -> None:
        with self._lock:
            self._known[key] = known
            self._known.move_to_end(key)
            if len(self._known) > MOST_CALLERS:
                self._known.popitem(last=False)


def _is_on(caller: Principal) -> bool:
    return caller.expires_at is None or caller.expires_at > utc_now()


def tell_of_rights(database: Database, stamp: Stamp) -> None:
    """Renew the stamp after each commit that may have changed what somebody may."""
    database.listen(RIGHTS, stamp.renew)


@event.listens_for(Session, "after_flush")
def _notice_rows(session: Session, _context: UOWTransaction) -> None:
    if any(isinstance(row, _MODELS) for rows in (session.new, session.dirty, session.deleted) for row in rows):
        note(session, RIGHTS, None)


@event.listens_for(Session, "do_orm_execute")
def _notice_statement(state: ORMExecuteState) -> None:
    if state.is_select or state.execution_options.get(LEAVES_RIGHTS):
        return
    if getattr(state.statement, "table", None) in _TABLES:
        note(state.session, RIGHTS, None)
