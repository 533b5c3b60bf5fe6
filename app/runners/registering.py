"""Machines become runners, and people look after both. The session comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session

from app.identity import REGISTRATION_KEY, RUNNER_KEY, draw_text, read_text
from app.kernel.clock import database_now, sql_seconds
from app.kernel.crypto import Vault
from app.kernel.errors import FieldError, Invalid
from app.kernel.principal import Principal
from app.runners.errors import RegistrationRefused, RunnerDisabled, RunnerUnknown
from app.runners.models import Runner, RunnerToken

SEEN_SECONDS: Final = 10.0
"""How often it is written down that a runner is there."""
MOST_TOKENS: Final = 100
MOST_RUNNERS: Final = 10_000


def select_placed(model: type[Any], organization_id: UUID | None, workspace_id: UUID | None) -> Select[Any]:
    """Select the runners, or the tokens, of an organization with all its workspaces, or of one workspace."""
    if workspace_id is not None:
        return select(model).where(model.workspace_id == workspace_id)
    return select(model).where(model.organization_id == organization_id)


def make_token(
    session: Session,
    vault: Vault,
    caller: Principal,
    place: tuple[UUID, UUID | None],
    fields: Mapping[str, Any],
) -> tuple[RunnerToken, str]:
    """Make a registration token in an organization, or a workspace of it, and return it with its text, which nobody
    can tell again; raises Invalid where there are too many."""
    _bound(session, RunnerToken, place[0], MOST_TOKENS)
    told = dict(fields)
    ends = func.clock_timestamp() + timedelta(seconds=told.pop("expires_in"))
    token = RunnerToken(
        organization_id=place[0], workspace_id=place[1], created_by=caller.user_id, expires_at=ends, **told
    )
    text = draw_text(vault, REGISTRATION_KEY, token)
    session.add(token)
    session.flush()
    session.refresh(token)
    return token, text


def register(session: Session, vault: Vault, token_text: str, said: Mapping[str, Any]) -> tuple[Runner, str]:
    """Make a runner of what a machine says of itself and return it with its token's text; raises RegistrationRefused.

    Labels that the registration token has are the runner's, whatever the machine says.
    """
    token = _find_token(session, vault, token_text)
    _bound(session, Runner, token.organization_id, MOST_RUNNERS)
    if token.uses_left is not None:
        token.uses_left -= 1
    runner = Runner(
        organization_id=token.organization_id,
        workspace_id=token.workspace_id,
        takes_untrusted=token.takes_untrusted,
        created_by=token.created_by,
        **{**said, "labels": token.labels or said["labels"]},
    )
    text = draw_text(vault, RUNNER_KEY, runner)
    session.add(runner)
    session.flush()
    session.refresh(runner)
    return runner, text


def _find_token(session: Session, vault: Vault, text: str) -> RunnerToken:
    said = read_text(text, REGISTRATION_KEY)
    if said is None:
        raise RegistrationRefused
    mine = select(RunnerToken).where(
        RunnerToken.public_part == said.public_part,
        RunnerToken.expires_at > database_now(),
        or_(RunnerToken.uses_left.is_(None), RunnerToken.uses_left > 0),
    )
    token = session.scalar(mine.with_for_update())
    if token is None or not vault.recognizes(text.encode(), token.secret_hash):
        raise RegistrationRefused
    return token


def _bound(session: Session, model: type[Any], organization_id: UUID, most: int) -> None:
    count = select(func.count()).select_from(model).where(model.organization_id == organization_id)
    if session.execute(count).scalar_one() >= most:
        raise Invalid(errors=[FieldError("organization_id", f"has {most} of them already; delete some first")])


def recognize(session: Session, vault: Vault, text: str, address: str | None) -> Runner:
    """Return the runner whose token this is, and note that it is there; raises RunnerUnknown or RunnerDisabled."""
    said = read_text(text, RUNNER_KEY)
    if said is None:
        raise RunnerUnknown
    is_due = or_(Runner.last_seen_at.is_(None), Runner.last_seen_at < database_now() - sql_seconds(SEEN_SECONDS))
    found = session.execute(select(Runner, is_due).where(Runner.public_part == said.public_part)).one_or_none()
    if found is None or not vault.recognizes(text.encode(), found[0].secret_hash):
        raise RunnerUnknown
    runner: Runner = found[0]
    _refuse_disabled(runner)
    fingerprint = vault.fingerprint(text.encode())
    if found[1] or runner.secret_hash != fingerprint:
        # Hashed anew as well, should the platform's key have changed: its text is known at its use alone.
        seen = {"last_seen_at": database_now(), "last_seen_ip": address, "secret_hash": fingerprint}
        noting = update(Runner).where(Runner.id == runner.id).values(seen)
        session.execute(noting.execution_options(synchronize_session=False))
    return runner


def look_again(session: Session, runner_id: UUID) -> Runner:
    """Return a runner as it is now: it may have waited for long since it was recognized. Raises as `recognize` does."""
    runner = session.get(Runner, runner_id)
    if runner is None:
        raise RunnerUnknown
    _refuse_disabled(runner)
    return runner


def _refuse_disabled(runner: Runner) -> None:
    if runner.disabled:
        raise RunnerDisabled


def change_runner(session: Session, runner: Runner, fields: Mapping[str, Any]) -> Runner:
    """Change what is given; what the runner has at hand goes on, unless it is disabled."""
    for name, value in fields.items():
        setattr(runner, name, value)
    runner.updated_at = func.clock_timestamp()
    session.flush()
    session.refresh(runner)
    return runner


def note_self(session: Session, runner: Runner, said: Mapping[str, Any]) -> None:
    """Keep what a runner says of itself now, where it is something new."""
    told = {name: value for name, value in said.items() if getattr(runner, name) != value}
    if told:
        noting = update(Runner).where(Runner.id == runner.id).values(told)
        session.execute(noting.execution_options(synchronize_session=False))
