"""Taking away the containers and pods that killed workers left behind: what belongs to no running attempt of a job."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from uuid import UUID

from app import jobs
from app.kernel.crypto import Vault
from app.kernel.db import Database
from tasks.pipelines.gateways.containers import ContainerRefused, Containers, Left
from tasks.pipelines.sites import find_sites

log = logging.getLogger(__name__)


def sweep(database: Database, containers: Containers, vault: Vault) -> int:
    """Remove what is abandoned and return how much that was; raises ContainersUnavailable.

    What is there is listed first: whatever comes later belongs to attempts that this does not judge.
    """
    sites = find_sites(database, vault) if containers.on_clusters else ()
    removed = sum(_remove(containers, left) for left in _find_abandoned(database, list(containers.find_left(sites))))
    if removed:
        log.warning("removed abandoned containers and networks", extra={"count": removed})
    return removed


def _remove(containers: Containers, left: Left) -> bool:
    """Take one away; what an engine will not let go is tried again by the next sweep, and keeps no other from going."""
    try:
        containers.remove(left)
    except ContainerRefused as error:
        log.warning("cannot be removed: %s", error.message, extra={"kind": left.kind, "id": left.name})
        return False
    return True


def _find_abandoned(database: Database, found: Iterable[Left]) -> list[Left]:
    """Containers come before the networks they are on."""
    ours = {left: job_id for left in found if (job_id := _read_id(left.job)) is not None}
    if not ours:
        return []
    with database.transaction() as session:
        standings = jobs.find_standings(session, list(set(ours.values())))
    held = {job_id: standing.attempt for job_id, standing in standings.items() if standing.is_running}
    return [left for left, job_id in ours.items() if held.get(job_id) != left.attempt]


def _read_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
