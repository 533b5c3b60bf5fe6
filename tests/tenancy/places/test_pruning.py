"""What is not kept for ever of workspaces on clusters, and what is."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app import jobs
from app.kernel.clock import database_now, sql_days
from app.tenancy import Provisioning, PruneSpaces, pruning
from app.tenancy.models import SpaceRepair
from tasks.clusters.gateways.kubernetes import kinds
from tests.support.identity import data_of
from tests.support.places import Yard
from tests.tenancy.places.test_drift import look

pytestmark = pytest.mark.slow


def prune(yard: Yard) -> dict[str, int]:
    with yard.database.transaction() as session:
        job_id = jobs.accept(session, PruneSpaces())
    yard.work()
    return dict(yard.job(str(job_id)).result or {})


def let_days_pass(yard: Yard, days: int) -> None:
    with yard.database.transaction() as session:
        session.execute(update(Provisioning).values(finished_at=Provisioning.finished_at - sql_days(days)))
        session.execute(update(SpaceRepair).values(created_at=database_now() - sql_days(days)))


def test_old_operations_go_and_the_newest_of_each_workspace_stays(yard: Yard) -> None:
    kept, gone = yard.placed("Kept"), yard.placed("Gone")
    data_of(yard.ask("POST", f"/workspaces/{kept['id']}/upgrade"), 202)
    data_of(yard.ask("DELETE", f"/workspaces/{gone['id']}"), 202)
    yard.work()
    assert prune(yard)["operations"] == 0
    let_days_pass(yard, 91)
    assert prune(yard)["operations"] == 3
    with yard.database.transaction() as session:
        (left,) = session.scalars(select(Provisioning)).all()
        assert (left.workspace_id, left.operation) == (UUID(kept["id"]), "upgrade")
    assert yard.workspace(kept["id"])["provisioning"]["operation"] == "upgrade"


def test_repairs_go_when_they_are_old_or_many(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    found = yard.placed()
    for policy in ("headrace-default-deny", "headrace-dns", "headrace-same-namespace"):
        yard.cluster.delete(kinds.NETWORK_POLICY, policy, found["namespace"])
    assert look(yard)["repaired"] == 3
    monkeypatch.setattr(pruning, "MOST_REPAIRS", 2)
    assert prune(yard)["many_repairs"] == 1
    let_days_pass(yard, 91)
    assert prune(yard)["repairs"] == 2
    with yard.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(SpaceRepair)) == 0


def test_metrics_tell_how_operations_fare_and_how_long_their_phases_took(yard: Yard) -> None:
    found = yard.placed()
    data_of(yard.ask("POST", f"/workspaces/{found['id']}/upgrade"), 202)
    said = yard.client.get("/metrics").text
    assert 'headrace_provisionings{operation="upgrade",status="running"} 1.0' in said
    assert 'headrace_provisionings_ended_last_hour{operation="provision",outcome="succeeded"} 1.0' in said
    assert 'headrace_provisioning_phase_seconds{operation="provision",phase="namespace",quantile="0.95"}' in said
    assert 'headrace_provisionings_oldest_seconds{operation="upgrade",status="running"}' in said
