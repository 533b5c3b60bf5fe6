"""Idempotency-Key: a POST sent again has no second effect and gets the first reply.

In the spirit of the IETF draft `draft-ietf-httpapi-idempotency-key-header`: a key is claimed in a short transaction
before the view runs, and its reply is kept in the transaction of what the view does: both are there or neither. A
process that dies in between leaves a claim that lapses by itself. Replies of 5xx are not kept, nor is what sets a
cookie.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from flask import Response, g, request
from sqlalchemy import and_, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as WerkzeugResponse

from app.http.envelope import meta
from app.http.platform import platform, transaction
from app.kernel.clock import database_now
from app.kernel.errors import Conflict, FieldError, Invalid, Refusal
from app.kernel.idempotency import IdempotencyKey, reply_context
from app.kernel.ids import new_id

HEADER = "Idempotency-Key"
LONGEST = 255
KEPT = timedelta(hours=24)
CLAIMED = timedelta(minutes=1)
KEPT_HEADERS = ("Content-Type", "Location", "Retry-After", "Link", "WWW-Authenticate")
PASSING = frozenset({429})

Respond = Callable[[], WerkzeugResponse]
Refuse = Callable[[Refusal], WerkzeugResponse]


class IdempotencyInFlight(Conflict):
    """The first request with this Idempotency-Key is still running."""

    code = "IDEMPOTENCY_IN_FLIGHT"


class IdempotencyMismatch(Invalid):
    """This Idempotency-Key was used for another request."""

    code = "IDEMPOTENCY_MISMATCH"


@dataclass(frozen=True, slots=True)
class Claim:
    """A key held by this request."""

    caller: str
    key: str
    token: UUID

    @property
    def context(self) -> str:
        """What the stored reply is sealed to."""
        return reply_context(self.caller, self.key)

    def where(self) -> Any:
        """The row, as long as this request holds it."""
        return and_(
            IdempotencyKey.caller == self.caller, IdempotencyKey.key == self.key, IdempotencyKey.claim == self.token
        )


def once(respond: Respond, refuse: Refuse) -> WerkzeugResponse:
    """Return the reply of `respond`, run once for each Idempotency-Key of the caller.

    Refusals are replies too: `refuse` makes them, so that they are kept. Raises Invalid for a key that is no key or
    was used for something else, Conflict while the first request runs.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return respond()
    if not 1 <= len(key) <= LONGEST or not (key.isascii() and key.isprintable()):
        raise Invalid(errors=[FieldError(HEADER, f"Must be 1 to {LONGEST} printable ASCII characters.")])
    # A key has claims of its own: it may not be told what its maker was.
    claim = Claim(str(g.principal.counted_as), key, new_id())
    with transaction() as session:
        replayed = _claim(session, claim, _fingerprint())
    return replayed or _run(claim, respond, refuse)


def _run(claim: Claim, respond: Respond, refuse: Refuse) -> WerkzeugResponse:
    try:
        with platform().database.together() as session:
            response = _respond(respond, refuse)
            _keep(session, claim, response)
    except BaseException:
        with suppress(SQLAlchemyError):
            _release(claim)
        raise
    return response


def _respond(respond: Respond, refuse: Refuse) -> WerkzeugResponse:
    try:
        return respond()
    except Refusal as refusal:
        return refuse(refusal)


def _fingerprint() -> str:
    parts = (request.method, request.full_path, request.mimetype)
    return platform().vault.fingerprint("\n".join(parts).encode() + b"\n" + request.get_data(cache=True))


def _claim(session: Session, claim: Claim, fingerprint: str) -> Response | None:
    """Take the key, or return the reply it has got already; raises what stands in the way."""
    fresh: dict[str, Any] = {
        "fingerprint": fingerprint,
        "claim": claim.token,
        "status": None,
        "sealed_reply": None,
        "expires_at": database_now() + CLAIMED,
    }
    taken = session.execute(
        insert(IdempotencyKey)
        .values(caller=claim.caller, key=claim.key, **fresh)
        .on_conflict_do_update(
            index_elements=["caller", "key"], set_=fresh, where=IdempotencyKey.expires_at < database_now()
        )
        .returning(IdempotencyKey.claim)
    ).scalar()
    if taken is not None:
        return None
    found = session.execute(select(IdempotencyKey).filter_by(caller=claim.caller, key=claim.key)).scalar_one()
    if found.fingerprint != fingerprint:
        raise IdempotencyMismatch(errors=[FieldError(HEADER, "Was used for another request.")])
    if found.status is None or found.sealed_reply is None:
        raise IdempotencyInFlight(headers={"Retry-After": "1"})
    return _open(found.status, platform().vault.decrypt(found.sealed_reply, claim.context))


def _keep(session: Session, claim: Claim, response: WerkzeugResponse) -> None:
    """Keep the reply in the transaction of what it tells; raises IdempotencyInFlight when another has the key now."""
    held: Any
    if response.status_code >= 500 or response.status_code in PASSING or "Set-Cookie" in response.headers:
        held = session.execute(delete(IdempotencyKey).where(claim.where()))
    else:
        sealed = platform().vault.encrypt(_seal(response), claim.context)
        kept = {"status": response.status_code, "sealed_reply": sealed, "expires_at": database_now() + KEPT}
        held = session.execute(update(IdempotencyKey).where(claim.where()).values(kept))
    if held.rowcount == 0:
        raise IdempotencyInFlight(headers={"Retry-After": "1"})


def _release(claim: Claim) -> None:
    """Let the key go, unless a reply is kept after all: a commit that looked lost may have been made."""
    with transaction() as session:
        session.execute(delete(IdempotencyKey).where(claim.where(), IdempotencyKey.status.is_(None)))


def _seal(response: WerkzeugResponse) -> bytes:
    headers = [[name, value] for name, value in response.headers if name in KEPT_HEADERS]
    return orjson.dumps([headers, response.get_data(as_text=True)])


def _open(status: int, reply: bytes) -> Response:
    """Return the first reply again, under the id of this request."""
    headers, body = orjson.loads(reply)
    response = Response(body, status, headers)
    if response.is_json and body:
        response.set_data(orjson.dumps(orjson.loads(body) | {"meta": meta()}))
    response.headers["Idempotent-Replayed"] = "true"
    return response
