"""The room's blueprint, and what its routes share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.clusters import Cluster
from app.http import Blueprint, check, principal
from app.kernel.clock import utc_now
from app.kernel.errors import FieldError, Invalid, NotFound
from app.kernel.principal import places_of
from app.monitoring.charts import Span
from app.monitoring.schemas.metrics import PERIODS
from app.monitoring.writing import Place
from app.tenancy import Workspace, personal_organization

blueprint = Blueprint("monitoring", description="Metrics: written, read and queried; rules over them, and their alerts")

INNER: Mapping[str, type[Any]] = {"cluster_id": Cluster, "workspace_id": Workspace}


def own_organization(session: Session, named: Mapping[str, Any]) -> UUID:
    """Return the organization that a request is about; the caller's personal one unless it names another."""
    return named.get("organization_id") or personal_organization(session, principal().user_id)


def take_place(body: dict[str, Any]) -> dict[str, Any]:
    """Take out of a body what it says of its place, for `find_place`."""
    return {name: body.pop(name) for name in ("organization_id", *INNER) if name in body}


def find_place(session: Session, named: Mapping[str, Any]) -> Place:
    """Return where a request puts things, if the caller may by this route; raises NotFound or Forbidden."""
    inner = {name: model for name, model in INNER.items() if named.get(name)}
    if not inner:
        place = Place(own_organization(session, named))
        check(place.organization_id)
        return place
    organization_ids = {_reach(session, model, named[name]) for name, model in inner.items()}
    organization_id = organization_ids.pop()
    if organization_ids or named.get("organization_id", organization_id) != organization_id:
        raise NotFound(resource_type="organization", resource_id=str(named.get("organization_id")))
    return Place(organization_id, named.get("workspace_id"), named.get("cluster_id"))


def _reach(session: Session, model: type[Any], row_id: UUID) -> UUID:
    """Return whose a workspace or cluster is; unlike `load` it leaves no trace in the audit log."""
    row, kind = session.get(model, row_id), model.__name__
    check(*places_of(row) or (row_id,), kind=kind, row_id=row_id)
    if row is None:
        raise NotFound(resource_type=kind.lower(), resource_id=str(row_id))
    organization_id: UUID = row.organization_id
    return organization_id


def span_of(asked: Mapping[str, Any]) -> Span:
    """Return the time that a request is about: from `start`, or so long before its `end` as `period` says."""
    if "start" in asked and "period" in asked:
        raise Invalid(errors=[FieldError("period", "Goes without start.")])
    end = asked.get("end", utc_now().timestamp())
    return Span(asked.get("start", end - PERIODS[asked.get("period", "1h")]), end)
