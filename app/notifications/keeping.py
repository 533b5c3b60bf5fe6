"""Templates and suppressions: made, changed and taken away. The session comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.kernel.errors import FieldError, Invalid
from app.kernel.ids import new_id
from app.kernel.principal import Principal
from app.notifications.errors import NameTaken
from app.notifications.models import Template
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


def _settle(session: Session, template: Template) -> Template:
    if template.html is None and template.text is None:
        raise Invalid(errors=[FieldError("text", "Is missing: give it, or html.")])
    template.variables = sorted({name for part in PARTS for name in _variables_of(part, getattr(template, part))})
    with _refuse_taken():
        session.flush()
    session.refresh(template)
    return template


def _variables_of(part: str, source: str | None) -> list[str]:
    try:
        return find_variables(source)
    except TemplateFault as error:
        raise Invalid(errors=[FieldError(part, str(error))]) from error


@contextmanager
def _refuse_taken() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise NameTaken(field="name") from error
