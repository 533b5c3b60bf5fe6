"""Keeping what was seen on a cluster: only what differs is written, and told of within bounds.

The session comes first; nothing here commits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clusters.checks import CheckRules
from app.clusters.events import ClusterInventoryChanged
from app.clusters.models import EVENTS, NODES, WATCHED, Cluster, ClusterHealth, ClusterInventory, ClusterObject
from app.kernel.clock import database_now
from app.kernel.db import table_of
from app.kernel.events import announce

NAMED: Final = 20
_AT_ONCE: Final = 500
_OBJECTS: Final = table_of(ClusterObject)
_KEY: Final = tuple_(_OBJECTS.c.namespace, _OBJECTS.c.name)

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as it was seen, in few words."""

    namespace: str
    name: str
    status: str | None
    data: Mapping[str, Any]
    created_at: datetime | None = None

    @property
    def key(self) -> Key:
        """What names it among those of its kind."""
        return (self.namespace, self.name)

    def digest(self) -> str:
        """Return what is another when anything of it is."""
        said = orjson.dumps([self.status, self.data, self.created_at], option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(said, digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Observed:
    """All objects of a kind, or why they could not be listed; what happens after `version` is not among them."""

    items: Sequence[Seen] = ()
    truncated: bool = False
    error: str | None = None
    version: str | None = None


@dataclass(slots=True)
class Changes:
    """What is another than before, by name, of one kind."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the counts, and the first names of each."""
        lists = {"added": self.added, "changed": self.changed, "removed": self.removed}
        return {name: {"count": len(some), "names": some[:NAMED]} for name, some in lists.items() if some}


def record_inventory(session: Session, cluster_id: UUID, observed: Mapping[str, Observed], rules: CheckRules) -> bool:
    """Write what was seen, kind by kind, and announce what changed; False where the cluster is gone."""
    cluster = session.get(Cluster, cluster_id, with_for_update={"read": True, "key_share": True})
    if cluster is None:
        return False
    moment = session.execute(select(database_now())).scalar_one()
    changes = {kind: _record(session, cluster_id, kind, one, moment, rules) for kind, one in sorted(observed.items())}
    _record_health(session, cluster_id, observed.get(NODES), moment, rules)
    tell_changes(session, cluster, changes)
    return True


def tell_changes(session: Session, cluster: Cluster, changes: Mapping[str, Changes]) -> None:
    """Announce what changed. Kubernetes' own events come all the time: whoever wants them reads them."""
    told = {kind: said for kind, one in changes.items() if kind != EVENTS and (said := one.to_json())}
    if told:
        announce(session, ClusterInventoryChanged(cluster.organization_id, cluster.id, told))


def _record(
    session: Session, cluster_id: UUID, kind: str, observed: Observed, moment: datetime, rules: CheckRules
) -> Changes:
    values: dict[str, Any] = {"error": observed.error, "version": None, "next_watch_at": None}
    if observed.error is None:
        values |= {"observed_at": moment, "count": len(observed.items), "truncated": observed.truncated}
    if kind in WATCHED and rules.watches and not observed.truncated and observed.version:
        values |= {"version": observed.version, "next_watch_at": moment}
    row = insert(ClusterInventory).values(cluster_id=cluster_id, kind=kind, **values)
    session.execute(row.on_conflict_do_update(index_elements=["cluster_id", "kind"], set_=values))
    if observed.error is not None:
        return Changes()
    fresh = {seen.key: seen for seen in observed.items}
    return _write(session, cluster_id, kind, fresh)


def _write(session: Session, cluster_id: UUID, kind: str, fresh: Mapping[Key, Seen]) -> Changes:
    known = _read_digests(session, cluster_id, kind)
    return _put(session, cluster_id, kind, known, fresh, [key for key in known if key not in fresh])


def write_some(session: Session, cluster_id: UUID, kind: str, some: Mapping[Key, Seen | None]) -> Changes:
    """Write the objects that are named, and delete those that are None."""
    known: dict[Key, str] = {}
    for keys in _batches(list(some)):
        known |= _read_digests(session, cluster_id, kind, _KEY.in_(keys))
    fresh = {key: seen for key, seen in some.items() if seen is not None}
    return _put(session, cluster_id, kind, known, fresh, [key for key in known if some[key] is None])


def _read_digests(session: Session, cluster_id: UUID, kind: str, *which: ColumnElement[bool]) -> dict[Key, str]:
    mine = (_OBJECTS.c.cluster_id == cluster_id, _OBJECTS.c.kind == kind, *which)
    stored = session.execute(select(_OBJECTS.c.namespace, _OBJECTS.c.name, _OBJECTS.c.digest).where(*mine))
    return {(row.namespace, row.name): row.digest for row in stored}


def _put(
    session: Session,
    cluster_id: UUID,
    kind: str,
    known: Mapping[Key, str],
    fresh: Mapping[Key, Seen],
    gone: Sequence[Key],
) -> Changes:
    digests = {key: seen.digest() for key, seen in fresh.items()}
    differing = [key for key, digest in digests.items() if known.get(key) != digest]
    for some in _batches(gone):
        mine = (_OBJECTS.c.cluster_id == cluster_id, _OBJECTS.c.kind == kind)
        session.execute(delete(_OBJECTS).where(*mine, _KEY.in_(some)))
    for some in _batches(differing):
        rows = [_row(cluster_id, kind, fresh[key], digests[key]) for key in some]
        statement = insert(_OBJECTS).values(rows)
        changed = {name: statement.excluded[name] for name in ("status", "data", "digest", "created_at")}
        names = ["cluster_id", "kind", "namespace", "name"]
        session.execute(statement.on_conflict_do_update(index_elements=names, set_=changed))
    return Changes(
        [_shown(key) for key in differing if key not in known],
        [_shown(key) for key in differing if key in known],
        [_shown(key) for key in gone],
    )


def _batches(keys: Sequence[Key]) -> Iterator[list[Key]]:
    rest = iter(keys)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


def _row(cluster_id: UUID, kind: str, seen: Seen, digest: str) -> dict[str, Any]:
    return {
        "cluster_id": cluster_id,
        "kind": kind,
        "namespace": seen.namespace,
        "name": seen.name,
        "status": seen.status,
        "data": dict(seen.data),
        "digest": digest,
        "created_at": seen.created_at,
    }


def _shown(key: Key) -> str:
    return "/".join(part for part in key if part)


def _record_health(
    session: Session, cluster_id: UUID, nodes: Observed | None, moment: datetime, rules: CheckRules
) -> None:
    values: dict[str, Any] = {"next_inventory_at": moment + timedelta(seconds=rules.inventory_interval)}
    if nodes is not None and nodes.error is None:
        ready = sum(seen.status == "Ready" for seen in nodes.items)
        values |= {"node_count": len(nodes.items), "ready_nodes": ready}
    # One that is being removed is looked into no more.
    row = update(ClusterHealth).where(ClusterHealth.cluster_id == cluster_id, ClusterHealth.next_check_at.is_not(None))
    session.execute(row.values(values).execution_options(synchronize_session=False))
