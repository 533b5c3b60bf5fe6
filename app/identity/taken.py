"""Names that somebody has: the database's refusal of a second one, as an error that names the field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from app.kernel.errors import AlreadyExists


@contextmanager
def refuse_taken(fields: Mapping[str, str], error: type[AlreadyExists], message: str | None = None) -> Iterator[None]:
    """Raise `error` where the block meets a unique index of `fields`, which gives the field of each; `{field}` in the
    `message` is that field."""
    try:
        yield
    except IntegrityError as refusal:
        field = fields.get(getattr(getattr(refusal.orig, "diag", None), "constraint_name", None) or "")
        if field is None:
            raise
        raise error(message and message.format(field=field), field=field) from refusal
