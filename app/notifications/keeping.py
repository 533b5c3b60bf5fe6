"""Templates and suppressions: made, changed and taken away. The session comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.kernel.errors import FieldError, Invalid
from app.kernel.ids import new_id
from app.kernel.principal import Principal
from app.notifications.addresses import fold
from app.notifications.errors import AddressSuppressed, NameTaken
from app.notifications.models import MANUAL, Suppression, Template
from app.notifications.providers import Owner
from app.notifications.templates import TemplateFault, find_variables

PARTS = ("subject", "html", "text")


def make_template(session: Session, owner: Owner, fields: Mapping[str, Any], caller: Principal) -> Template:
    """Write a template. Raises NameTaken, and Invalid for one that cannot be read."""
    template = Template(id=new_id(), created_by=caller.user_id, **owner, **fields)
    session.add(template)
    return _settle(session, template)


def change_template(session: Session, template: Template, fields: Mapping[str, Any]) -> Template:
    """Write the given fields of a template. Raises as `make_template` does."""
    for name, value in fields.items():
        setattr(template, name, value)
    return _settle(session, template)


def suppress(session: Session, owner: Owner, address: str) -> Suppression:
    """Let nothing more be sent to an address. Raises AddressSuppressed where that is so already."""
    row = Suppression(id=new_id(), address=fold(address), reason=MANUAL, **owner)
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        raise AddressSuppressed(field="address") from error
    session.refresh(row)
    return row


def _settle(session: Session, template: Template) -> Template:
    if template.html is None and template.text is None:
        raise Invalid(errors=[FieldError("text", "Is missing: give it, or html.")])
    template.variables = sorted({name for part in PARTS for name in _variables_of(part, getattr(template, part))})
    try:
        session.flush()
    except IntegrityError as error:
        raise NameTaken(field="name") from error
    session.refresh(template)
    return template


def _variables_of(part: str, source: str | None) -> list[str]:
    try:
        return find_variables(source)
    except TemplateFault as error:
        raise Invalid(errors=[FieldError(part, str(error))]) from error
