"""Routes that are there once for each kind of holder of secrets and variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.http import load, match_row, note_row, transaction
from app.pipelines.keeping import Holder, Row, find_kept, holder_of, select_kept
from app.pipelines.models import Environment, Pipeline
from app.pipelines.routes.base import blueprint
from app.tenancy import Organization, Workspace

# The names of a workspace's operations are the oldest, and clients are made of them.
KINDS: Final[Mapping[str, tuple[type[Any], str]]] = {
    "organization": (Organization, "Organization"),
    "workspace": (Workspace, ""),
    "pipeline": (Pipeline, "Pipeline"),
    "environment": (Environment, "Environment"),
}

Place = Mapping[str, UUID]
Views = TypeVar("Views", bound=type[MethodView])


def of_holders(rest: str, *kinds: str) -> Callable[[Views], Views]:
    """Serve the methods of a MethodView at `/organizations/{id}/rest`, and so on, for some kinds of holders or all.

    They get the holder as `place`.
    """

    def register(views: Views) -> Views:
        for kind in kinds or KINDS:
            rule = f"/{kind}s/<uuid:{kind}_id>/{rest}"
            blueprint.route(rule, endpoint=f"{KINDS[kind][1]}{views.__name__}")(views)
        return views

    return register


def load_holder(session: Session, place: Place) -> Holder:
    """Return the holder that the path names; raises as `load` does."""
    ((column, row_id),) = place.items()
    model, _ = KINDS[column.removesuffix("_id")]
    return holder_of(load(session, model, row_id))


def list_kept(model: type[Row], place: Place) -> Select[Row]:
    """Select what the holder keeps."""
    with transaction() as session:
        return select_kept(model, load_holder(session, place))


def load_kept(session: Session, model: type[Row], place: Place, name: str, *, for_update: bool = False) -> Row:
    """Return what the holder keeps under that name; raises as `load` does."""
    row = find_kept(session, model, load_holder(session, place), name, for_update=for_update)
    match_row(row)
    note_row(row)
    return row
