"""What clients ask of sources: made, changed, deleted, pulled from now. The session comes first; nothing here
commits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app import jobs
from app.kernel.audit import concern
from app.kernel.clock import database_now
from app.kernel.crypto import Vault
from app.kernel.errors import Conflict, FieldError, Invalid
from app.kernel.ids import new_id
from app.kernel.principal import Principal
from app.kernel.visibility import visible
from app.monitoring.intents import CollectMetrics
from app.monitoring.models import LONGEST_SPAN, PROMETHEUS, MetricSource, vault_context
from app.monitoring.sources.access import SourceAccess, check_asked
from app.monitoring.sources.pulling import make_cluster_sources
from app.monitoring.writing import Place

MOST_SOURCES: Final = 100
SECRETS: Final = ("token", "username", "password")
EQUAL: Final = ("organization_id", "workspace_id", "cluster_id", "kind", "enabled")


class SourceOfCluster(Conflict):
    """A cluster's own source goes with the cluster; it can be switched off."""


class TooManySources(Invalid):
    """The organization has as many sources of metrics as it may have."""

    code = "QUOTA_EXCEEDED"


def visible_sources(caller: Principal, filters: Mapping[str, Any]) -> Select[MetricSource]:
    """Select the sources that a caller may read."""
    places = (MetricSource.organization_id, MetricSource.workspace_id, MetricSource.cluster_id)
    equal = (getattr(MetricSource, name) == filters[name] for name in EQUAL if name in filters)
    return select(MetricSource).where(visible(caller, "metrics:read", *places), *equal)


def make_source(
    session: Session, vault: Vault, place: Place, caller: Principal, fields: dict[str, Any]
) -> MetricSource:
    """Write a Prometheus, which is due at once; raises Invalid, TooManySources."""
    check_asked(fields["queries"])
    counted = select(func.count()).where(MetricSource.organization_id == place.organization_id)
    if session.execute(counted).scalar_one() >= MOST_SOURCES:
        raise TooManySources(limit=MOST_SOURCES)
    given = {name: fields.pop(name, None) for name in SECRETS}
    lying = {"organization_id": place.organization_id, "workspace_id": place.workspace_id}
    source = MetricSource(id=new_id(), kind=PROMETHEUS, cluster_id=place.cluster_id, **lying, **fields)
    source.created_by = caller.user_id
    source.credentials = _seal(vault, source, given)
    session.add(source)
    session.flush()
    session.refresh(source)
    return source


def change_source(session: Session, vault: Vault, source: MetricSource, fields: dict[str, Any]) -> MetricSource:
    """Write the given fields of a source whose row is locked; it is due at once. Who leads it to another server gives
    credentials anew: those that are stored were meant for this one. Raises Invalid, SourceOfCluster."""
    given: dict[str, Any] = {name: fields.pop(name) for name in SECRETS if name in fields}
    if source.is_made_by_cluster and (given or {"url", "queries"} & fields.keys()):
        raise SourceOfCluster("What a cluster tells is asked as the cluster is; only its interval can be changed.")
    check_asked(fields.get("queries", ()))
    if _moves(source, fields.get("url", source.url)) and not any(given.values()):
        session.refresh(source, ["credentials"])
        if source.credentials is not None:
            raise Invalid(errors=[FieldError("token", "Is missing: another server takes credentials of its own.")])
    for name, value in fields.items():
        setattr(source, name, value)
    if given:
        source.credentials = _seal(vault, source, given)
    source.next_pull_at, source.failures, source.span_seconds = database_now(), 0, LONGEST_SPAN
    session.flush()
    session.refresh(source)
    return source


def delete_source(session: Session, source: MetricSource) -> None:
    """Pull from a source no more; what it has told stays. Raises SourceOfCluster."""
    if source.is_made_by_cluster:
        raise SourceOfCluster
    session.delete(source)


def ask_to_collect(session: Session, place: Place, caller: Principal) -> UUID:
    """Accept the job that pulls from all sources of a place now, and return its id."""
    make_cluster_sources(session, place.organization_id)
    named = {"cluster": place.cluster_id, "workspace": place.workspace_id, "organization": place.organization_id}
    kind, place_id = next((kind, found) for kind, found in named.items() if found is not None)
    concern(session, kind, place_id, place.organization_id)
    return jobs.accept(
        session,
        CollectMetrics(place.organization_id, place_id),
        organization_id=place.organization_id,
        workspace_id=place.workspace_id,
        cluster_id=place.cluster_id,
        created_by=caller.user_id,
    )


def _moves(source: MetricSource, url: str | None) -> bool:
    return urlsplit(url or "")[:2] != urlsplit(source.url or "")[:2]


def _seal(vault: Vault, source: MetricSource, given: Mapping[str, str | None]) -> bytes | None:
    """Return credentials as they are kept, with the address that they are for; raises Invalid for half of them."""
    if not any(given.values()):
        return None
    if given.get("token") and given.get("username"):
        raise Invalid(errors=[FieldError("token", "Goes without a username: give one of them.")])
    if bool(given.get("username")) != bool(given.get("password")):
        raise Invalid(errors=[FieldError("password", "Goes with a username, and a username with it.")])
    access = SourceAccess(source.url or "", **given)
    return vault.encrypt(access.to_json(), vault_context(source.id))
