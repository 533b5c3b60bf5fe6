"""Attempts to log in: whose they are, and how those who fail again and again are slowed down.

Failures are counted for a name and the address it is tried from; on a device that the account's owner has used, for
that device instead. So nobody can shut out another by failing in their name, from elsewhere or from behind the same
address. From the fifth failure in a row on, each one doubles the time for which that place is not heard.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from sqlalchemy import Select, case, delete, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.identity.models import LoginThrottle, SecurityEvent, User, accounts
from app.identity.origins import Origin
from app.identity.security_log import LOGIN_FAILED
from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import Database
from app.kernel.errors import RateLimited
from app.kernel.ids import new_id

FREE_FAILURES: Final = 5
FIRST_WAIT: Final = 30
LONGEST_WAIT: Final = 3600
FORGOTTEN_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody who says they are the account of this name, and will not be heard before `wait` seconds are over."""

    name: str
    account: User | None
    origin: Origin
    wait: float = 0.0

    @property
    def counted_by(self) -> str:
        """The name that is tried, and the device if the account's owner has used it before."""
        device = self.origin.device
        is_known = self.account is not None and device is not None and device.user_id == self.account.id
        return f"{self.name.lower()}:{device.name if device and is_known else ''}"

    @property
    def subject(self) -> str:
        """What failures are counted by: the name and the device, or else the network."""
        counted = self.counted_by
        return f"login:{counted}{self.origin.network if counted.endswith(':') else ''}"


def begin_attempt(database: Database, name: str, origin: Origin) -> Attempt:
    """Return the attempt to come in under a name or an address, of an account or of nobody."""
    with database.transaction() as session:
        attempt = Attempt(name, session.scalars(account_named(name)).one_or_none(), origin)
        return replace(attempt, wait=seconds_to_wait(session, attempt.subject))


def account_named(name: str) -> Select[User]:
    """Select the account with this username or address, whatever its case."""
    folded = name.lower()
    return accounts().where(or_(func.lower(User.username) == folded, func.lower(User.email) == folded))


def seconds_to_wait(session: Session, subject: str) -> float:
    """Return for how long a subject is not heard."""
    left = func.extract("epoch", LoginThrottle.blocked_until - database_now())
    return max(0.0, float(session.scalar(select(left).where(LoginThrottle.subject == _hash(subject))) or 0))


def refuse_waiting(seconds: float) -> None:
    """Raise RateLimited for who has to wait."""
    if not seconds:
        return
    wait = int(seconds) + 1
    raise RateLimited(
        "Too many failures in a row; wait before the next attempt.",
        headers={"Retry-After": str(wait)},
        limit=FREE_FAILURES,
        window=wait,
        retry_after=wait,
    )


def count_failure(session: Session, subject: str, free: int = FREE_FAILURES) -> None:
    """Count a failure, and from the last `free` one in a row on stop listening: 30 s, then twice as long each time, up
    to 1 h."""
    is_old = LoginThrottle.failed_at < database_now() - FORGOTTEN_AFTER
    failures = case((is_old, 1), else_=LoginThrottle.failures + 1)
    exponent = func.least(failures - free, 16)
    wait = func.least(FIRST_WAIT * func.power(2, exponent), LONGEST_WAIT)
    until = database_now() + sql_seconds(wait)
    statement = insert(LoginThrottle).values(subject=_hash(subject), failures=1, failed_at=database_now())
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["subject"],
            set_={
                "failures": failures,
                "failed_at": database_now(),
                "blocked_until": case((failures >= free, until), else_=None),
            },
        )
    )


def forget_failures(session: Session, subject: str) -> None:
    """Begin the count anew: the subject has proved who they are."""
    session.execute(delete(LoginThrottle).where(LoginThrottle.subject == _hash(subject)))


def note_failed_login(session: Session, attempt: Attempt) -> None:
    """Count a failure and tell the account's owner; for nobody's account the same statements run and write nothing."""
    count_failure(session, attempt.subject)
    account_id = attempt.account.id if attempt.account else new_id()
    owner = select(
        literal(new_id()),
        User.id,
        literal(LOGIN_FAILED),
        literal(attempt.origin.ip_address),
        literal(attempt.origin.user_agent),
    ).where(User.id == account_id)
    columns = ["id", "user_id", "type", "ip_address", "user_agent"]
    session.execute(insert(SecurityEvent).from_select(columns, owner, include_defaults=False))


def _hash(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()
