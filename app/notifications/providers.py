"""Email providers of an owner: kept with sealed credentials, and how each fares. The session comes first; nothing here
commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session, undefer

from app.kernel.clock import database_now, sql_seconds
from app.kernel.crypto import Undecryptable, Vault
from app.kernel.errors import FieldError, Invalid
from app.kernel.ids import new_id
from app.notifications.choosing import Choice, next_opening
from app.notifications.models import EmailProvider, vault_context

SECRETS: Final = (
    *("password", "api_key", "server_token", "aws_secret_access_key"),
    *("signing_key", "callback_password", "dkim_private_key"),
)
# By which is known who sends to us, and what signs for us: they go nowhere.
STAYING: Final = ("signing_key", "callback_password", "dkim_private_key")
# What says where a secret goes, and how: one that is kept goes nowhere else.
PLACES: Final = ("host", "port", "security", "username", "base_url", "region", "domain", "aws_access_key_id")
SECRETS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "smtp": (),
    "sendgrid": ("api_key",),
    "mailgun": ("api_key",),
    "postmark": ("server_token",),
    "ses": ("aws_secret_access_key",),
}

Owner = Mapping[str, UUID]


@dataclass(frozen=True, slots=True)
class Opened:
    """A provider with what opens it."""

    id: UUID
    name: str
    kind: str
    settings: Mapping[str, Any]
    default_from_email: str
    default_from_name: str | None
    rate_limit_per_second: int

    def __repr__(self) -> str:
        """Return it without what is secret."""
        return f"{self.kind}:{self.name}"


def is_of(model: Any, owner: Owner) -> ColumnElement[bool]:
    """Whether a row is an owner's, who is an `organization_id` or a `client_id`."""
    ((name, value),) = owner.items()
    found: ColumnElement[bool] = getattr(model, name) == value
    return found


def owner_of(row: Any) -> dict[str, UUID]:
    """Return whose a row is."""
    return {"client_id": row.client_id} if row.client_id is not None else {"organization_id": row.organization_id}


def replace_providers(
    session: Session, vault: Vault, owner: Owner, wanted: Sequence[Mapping[str, Any]]
) -> list[EmailProvider]:
    """Make an owner's providers those that are given, by name. One that is given without its secret keeps the one it
    has, if it goes where it went. Raises Invalid for one that has none."""
    names = [one["name"] for one in wanted]
    session.execute(delete(EmailProvider).where(is_of(EmailProvider, owner), EmailProvider.name.not_in(names)))
    known = {row.name: row for row in session.scalars(_with_credentials(is_of(EmailProvider, owner)))}
    for nth, fields in enumerate(wanted):
        row = known.get(fields["name"]) or EmailProvider(id=new_id(), name=fields["name"], **owner)
        _write(vault, row, fields, f"providers.{nth}.provider_config")
        session.add(row)
    session.flush()
    return list_providers(session, owner)


def list_providers(session: Session, owner: Owner) -> list[EmailProvider]:
    """Return an owner's providers, in the order of their names."""
    return list(session.scalars(select(EmailProvider).where(is_of(EmailProvider, owner)).order_by(EmailProvider.name)))


def find_providers(session: Session, vault: Vault, owner: Owner) -> dict[UUID, Opened]:
    """Return an owner's providers with what opens them, by id."""
    return {row.id: _open(vault, row) for row in session.scalars(_with_credentials(is_of(EmailProvider, owner)))}


def open_named_providers(session: Session, vault: Vault, ids: Collection[UUID]) -> dict[UUID, Opened]:
    """Return some providers with what opens them, by id."""
    return {row.id: _open(vault, row) for row in session.scalars(_with_credentials(EmailProvider.id.in_(ids)))}


def choices_of(session: Session, owner: Owner) -> list[Choice]:
    """Return what is known of an owner's providers when one is chosen."""
    columns = (EmailProvider.id, EmailProvider.name, EmailProvider.is_primary, EmailProvider.is_bulk)
    how = (EmailProvider.weight, EmailProvider.failures, EmailProvider.open_until)
    rows = session.execute(select(*columns, *how).where(is_of(EmailProvider, owner)))
    return [Choice(*row) for row in rows]


def take_slots(session: Session, provider_id: UUID, count: int) -> list[float]:
    """Take the next turns that a provider's rate allows, for whatever job; returns in how many seconds each comes."""
    free = func.greatest(func.coalesce(EmailProvider.next_slot_at, database_now()), database_now())
    taken = (
        update(EmailProvider)
        .where(EmailProvider.id == provider_id)
        .values(next_slot_at=free + sql_seconds(count * 1.0 / EmailProvider.rate_limit_per_second))
        .returning(
            func.extract("epoch", EmailProvider.next_slot_at - database_now()), EmailProvider.rate_limit_per_second
        )
    )
    seconds, rate = session.execute(taken.execution_options(synchronize_session=False)).one()
    return [max(float(seconds) - left / rate, 0.0) for left in range(count, 0, -1)]


def note_outcomes(session: Session, outcomes: Sequence[tuple[UUID, bool]]) -> None:
    """Count what providers do, in its order: one that fails again and again is left alone for a while. A mail that it
    refuses says nothing against it."""
    mine = select(EmailProvider, database_now()).where(EmailProvider.id.in_({one for one, _ in outcomes}))
    locked = mine.order_by(EmailProvider.id).with_for_update().execution_options(populate_existing=True)
    for row, moment in session.execute(locked):
        for is_well in (is_well for provider_id, is_well in outcomes if provider_id == row.id):
            row.failures = 0 if is_well else row.failures + 1
            row.open_until = None if is_well else next_opening(row.failures, moment)
    session.flush()


def _with_credentials(condition: ColumnElement[bool]) -> Any:
    return select(EmailProvider).where(condition).options(undefer(EmailProvider.credentials))


def _write(vault: Vault, row: EmailProvider, fields: Mapping[str, Any], path: str) -> None:
    config = dict(fields["config"])
    given = {name: config.pop(name) for name in SECRETS if config.get(name)}
    kept = {name: value for name, value in config.items() if name not in SECRETS}
    known = _known(vault, row) if row.kind == fields["kind"] else {}
    if not _stays(row, fields["kind"], kept):
        _refuse_without_secret(known, fields["kind"], given, path)
        known = {name: value for name, value in known.items() if name in STAYING}
    secrets = known | given
    if "dkim_domain" in kept and "dkim_private_key" not in secrets:
        raise Invalid(errors=[FieldError(f"{path}.dkim_private_key", "Is missing.")])
    row.credentials = vault.encrypt(orjson.dumps(secrets), vault_context(row.id)) if secrets else None
    row.config = kept
    for name, value in fields.items():
        if name != "config":
            setattr(row, name, value)
    row.failures, row.open_until = 0, None


def _stays(row: EmailProvider, kind: str, config: Mapping[str, Any]) -> bool:
    """Whether a provider's secret would still go where it went."""
    return row.kind == kind and all(row.config.get(name) == config.get(name) for name in PLACES)


def _refuse_without_secret(known: Mapping[str, str], kind: str, given: Mapping[str, str], path: str) -> None:
    """What nobody gave again must not go to another place than it was given for."""
    needed = SECRETS_OF[kind] or (("password",) if "password" in known else ())
    for name in needed if not set(needed) <= set(given) else ():
        raise Invalid(errors=[FieldError(f"{path}.{name}", "Is missing: the one that is kept was for another server.")])


def _open(vault: Vault, row: EmailProvider) -> Opened:
    return Opened(
        row.id,
        row.name,
        row.kind,
        {**row.config, **_reveal(vault, row)},
        row.default_from_email,
        row.default_from_name,
        row.rate_limit_per_second,
    )


def _known(vault: Vault, row: EmailProvider) -> dict[str, str]:
    """Return what opens a provider, nothing where that is unreadable: who gives it anew needs it no more."""
    try:
        return _reveal(vault, row)
    except Undecryptable:
        return {}


def _reveal(vault: Vault, row: EmailProvider) -> dict[str, str]:
    sealed = row.credentials
    secrets: dict[str, str] = orjson.loads(vault.decrypt(sealed, vault_context(row.id))) if sealed else {}
    return secrets
