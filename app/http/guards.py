"""Who may: every route says `@requires` or `@public`; rows and organizations are reached through `load` and `check`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from uuid import UUID

from flask import Request, g, request
from sqlalchemy.orm import Session

from app.http.audit import note_refused
from app.http.etags import match_row, note_row
from app.http.limits import count_address, count_caller
from app.http.platform import platform
from app.kernel.audit import concern
from app.kernel.errors import AuthRequired, Forbidden, NotFound
from app.kernel.principal import Principal, places_of

CHANGING = ("PUT", "PATCH", "DELETE")

View = TypeVar("View", bound=Callable[..., Any])

_INNER_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


class Owned(Protocol):
    """A row that lies in an organization or a client application, and perhaps in a narrower place of it (see
    `principal.PLACES`); one that lies in none is its creator's (`created_by`). A model may have a `noun`, by which
    callers know it when it is not the name of the class."""

    id: Any


Row = TypeVar("Row", bound=Owned)


@dataclass(frozen=True, slots=True)
class Guard:
    """What a route asks of its caller; a public one asks nothing. Where `permission` has to be held, the rows tell that
    the route loads; or it is the whole `platform`, the caller's `own` account, or the `client` application that the
    caller is or is a user of. Where callers of another kind than people are let in, `recognize` tells who they are, and
    they are counted by the limit of their own."""

    permission: str | None = None
    platform: bool = False
    own: bool = False
    client: bool = False
    public: bool = False
    recognize: Callable[[Request], Principal] | None = None
    limit: str = "user"

    @property
    def reading(self) -> str:
        """The permission without which the route's resources do not exist for the caller."""
        return f"{(self.permission or '').partition(':')[0]}:read"

    def admit(self) -> None:
        """Authenticate and count the caller; raises AuthRequired, Forbidden or RateLimited."""
        if self.public:
            count_address()
            return
        try:
            caller = (self.recognize or platform().authenticate)(request)
        except AuthRequired:
            count_address()
            raise
        g.principal = caller
        count_caller(caller, self.limit)
        if not self._lets_in(caller):
            raise Forbidden(required_permission=self.permission)

    def _lets_in(self, caller: Principal) -> bool:
        if self.permission is None:
            return True
        if self.platform:
            return caller.may(self.permission)
        if self.own:
            return caller.may(self.permission, caller.user_id)
        if self.client:
            # Not even an administrator: there would be no application that the route could be about.
            return caller.client_id is not None and caller.may(self.permission, caller.client_id)
        return caller.permits(self.permission)


def requires(
    permission: str | None = None, *, platform: bool = False, own: bool = False, client: bool = False
) -> Callable[[View], View]:
    """Let in callers who are known; `permission` (`area:verb`) is held against what `load` and `check` are given.

    With `platform` it is a permission over the whole platform, which administrators hold; with `own` one over the
    caller's account, which everybody holds, but not every key. With `client` it is one over the caller's client
    application (`own_client`), which its key holds, and its users as far as they were given it; nobody else gets in.
    Without a permission whoever is known may, with any key.
    """

    def mark(view: View) -> View:
        view.guard = Guard(permission, platform, own, client)  # type: ignore[attr-defined]
        return view

    return mark


def recognizes(recognize: Callable[[Request], Principal], *, limit: str) -> Callable[[View], View]:
    """Let in nobody but those whom `recognize` knows, which raises AuthRequired for all others; they are counted by the
    rate limit `limit`."""

    def mark(view: View) -> View:
        view.guard = Guard(recognize=recognize, limit=limit)  # type: ignore[attr-defined]
        return view

    return mark


def public(view: View) -> View:
    """Let everyone in."""
    view.guard = Guard(public=True)  # type: ignore[attr-defined]
    return view


def principal() -> Principal:
    """Return the caller of a route that `requires` one."""
    caller: Principal = g.principal
    return caller


def own_client() -> UUID:
    """Return the client application of the caller of a route that `requires` one with `client`."""
    client_id: UUID = g.principal.client_id
    return client_id


def load(session: Session, model: type[Row], row_id: UUID, *, for_update: bool = False) -> Row:
    """Return a row the caller may reach by this route, locked when asked for or when `If-Match` guards it.

    Raises NotFound when there is none or the caller may not read it, Forbidden when only the route's own permission is
    lacking, PreconditionFailed when the row the path names has changed since the caller read it.
    """
    for_update = for_update or (request.method in CHANGING and "If-Match" in request.headers)
    row = session.get(model, row_id, with_for_update=for_update)
    kind = getattr(model, "noun", model.__name__)
    if row is None:
        raise _not_found(kind, row_id)
    if not principal().owns(row):
        _judge(places_of(row), kind, row_id)
    concern(session, _snake(kind), row_id, getattr(row, "organization_id", None))
    if str(row_id) == str(next(reversed((request.view_args or {}).values()), None)):
        match_row(row)
        note_row(row)
    return row


def check(*places: UUID, kind: str = "organization", row_id: UUID | None = None) -> None:
    """Hold the route's permission against places, one inside the other; raises NotFound or Forbidden as `load` does.

    A NotFound names the widest place, unless `kind` and `row_id` say what the path or body has named.
    """
    _judge(places, kind, row_id or places[0])


def _judge(places: Iterable[UUID], kind: str, row_id: UUID) -> None:
    caller, guard = principal(), _guard()
    if caller.may(guard.permission or "", *places):
        return
    note_refused(_snake(kind), row_id, next(iter(places), None))
    if not caller.may(guard.reading, *places):
        raise _not_found(kind, row_id)
    raise Forbidden(required_permission=guard.permission)


def _guard() -> Guard:
    guard: Guard = g.operation.guard
    return guard


def _not_found(kind: str, row_id: UUID) -> NotFound:
    return NotFound(resource_type=_snake(kind), resource_id=str(row_id))


def _snake(kind: str) -> str:
    return _INNER_CAPITAL.sub("_", kind).lower()
