"""What does not succeed is taken back: whatever fails, is cancelled or dies, and in whichever phase."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app import jobs
from app.jobs import Job
from app.kernel.clock import database_now, sql_days, sql_seconds
from app.tenancy.models import ProvisioningPhase, Space
from tasks.clusters.gateways.kubernetes import AccessDenied, ClusterAway, kinds
from tasks.clusters.gateways.kubernetes.exchange import Exchange
from tasks.tenancy import turns
from tests.support.identity import data_of, error_of
from tests.support.kubernetes import ApiServer
from tests.support.places import Yard
from tests.support.work import make_runtime

pytestmark = pytest.mark.slow

PHASES = {
    "namespace": ("POST", "/api/v1/namespaces"),
    "quota": ("PATCH", "resourcequotas"),
    "network_policy": ("PATCH", "networkpolicies"),
    "accounts": ("PATCH", "serviceaccounts"),
    "roles": ("PATCH", "rolebindings"),
    "verify": ("POST", "pods"),
    "clean_up": ("DELETE", "pods"),
}


class Killed(BaseException):
    """The worker is dead."""


class Calls:
    """Counts what is asked of the cluster, and does something bad at one of the calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made = 0
        self.bad: dict[int, Any] = {}
        self.refuse: tuple[str, str] | None = None
        self.refusal: BaseException | None = None
        call = Exchange.call

        def counted(exchange: Exchange, method: str, path: str, *rest: Any) -> Any:
            self.made += 1
            if self.refuse and method == self.refuse[0] and self.refuse[1] in path and self.refusal:
                raise self.refusal
            before, after = self.bad.get(self.made, (None, None))
            if before:
                raise before
            answer = call(exchange, method, path, *rest)
            if after:
                raise after
            return answer

        monkeypatch.setattr(Exchange, "call", counted)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The calls of workers; those of the tests are among them."""
    return Calls(monkeypatch)


@contextmanager
def refusing(calls: Calls, phase: str, error: BaseException) -> Iterator[None]:
    """Let a phase get nowhere while the block runs."""
    calls.refuse, calls.refusal = PHASES[phase], error
    try:
        yield
    finally:
        calls.refuse = None


def expect_nothing_left(yard: Yard, made: Any, status: str, ends: str = "failed") -> None:
    found = yard.workspace(made["id"])
    assert (found["status"], found["provisioning"]["status"]) == (status, ends)
    assert {phase["status"] for phase in found["provisioning"]["phases"]} <= {"pending", "undone"}
    assert yard.namespaces() == []
    with yard.database.transaction() as session:
        assert session.scalar(select(func.count(Space.id))) == 0


@pytest.mark.parametrize("phase", PHASES)
def test_a_phase_that_is_refused_takes_back_all_before_it_and_says_why(yard: Yard, calls: Calls, phase: str) -> None:
    made = yard.place()

    with refusing(calls, phase, AccessDenied("the cluster says no")):
        run_to_its_end(yard, made)
    yard.work()
    expect_nothing_left(yard, made, "failed")
    found = yard.workspace(made["id"])
    assert (found["status_reason"], found["provisioning"]["error"]["phase"]) == ("the cluster says no", phase)
    job = yard.job(made["job_id"])
    assert (job.status, (job.error or {})["code"]) == ("failed", "CLUSTER_ACCESS_DENIED")
    (failed,) = yard.events("provisioning.failed")
    assert (failed["phase"], failed["reason"], failed["cancelled"]) == (phase, "the cluster says no", False)


@pytest.mark.parametrize("phase", PHASES)
def test_a_cluster_that_dies_in_a_phase_is_waited_for_and_then_given_up(
    yard: Yard, calls: Calls, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(turns, "MOMENT", 0.0)
    made = yard.place()
    with refusing(calls, phase, ClusterAway("nobody answers")):
        run_until_nobody_answers(yard, made)
        assert yard.job(made["job_id"]).status == "queued"
        let_time_pass(yard)
        run_to_its_end(yard, made)
        assert yard.job(made["job_id"]).error["code"] == "PHASE_TIMED_OUT"  # type: ignore[index]
    yard.work()
    expect_nothing_left(yard, made, "failed")


@pytest.mark.parametrize("phase", PHASES)
def test_a_cluster_that_is_away_for_a_moment_costs_but_time(
    yard: Yard, calls: Calls, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(turns, "MOMENT", 0.0)
    made = yard.place()
    with refusing(calls, phase, ClusterAway("nobody answers")):
        run_until_nobody_answers(yard, made)
    yard.work()
    found = yard.workspace(made["id"])
    assert (found["status"], found["provisioning"]["waiting_for"]) == ("active", None)
    assert yard.job(made["job_id"]).status == "succeeded"


@pytest.mark.parametrize("phase", PHASES)
def test_a_cancel_in_a_phase_takes_all_of_it_back(
    yard: Yard, calls: Calls, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(turns, "MOMENT", 0.0)
    made = yard.place()
    with refusing(calls, phase, ClusterAway("nobody answers")):
        run_until_nobody_answers(yard, made)
        data_of(yard.ask("POST", f"/jobs/{made['job_id']}/cancel"), 202)
    yard.work()
    expect_nothing_left(yard, made, "failed", "cancelled")
    assert yard.job(made["job_id"]).status == "cancelled"


def test_a_worker_that_is_killed_at_any_call_is_followed_by_another(yard: Yard, calls: Calls) -> None:
    """It dies once before, once after the cluster has done what it was asked, at every second call."""
    yard.placed("Counted")
    whole = calls.made
    for number in range(1, whole, 2):
        made = yard.place(f"Killed {number}")
        calls.made = 0
        calls.bad = {number: (Killed(), None) if number % 4 == 1 else (None, Killed())}
        with suppress(Killed):
            yard.work()
        calls.bad = {}
        take_from_the_dead(yard)
        yard.work()
        assert yard.workspace(made["id"])["status"] == "active", number
    assert len(yard.namespaces()) == 2 * (1 + len(range(1, whole, 2)))


def test_a_worker_that_dies_of_it_again_and_again_leaves_nothing(yard: Yard, calls: Calls) -> None:
    made = yard.place()
    with refusing(calls, "roles", Killed()):
        for _ in range(4):
            with suppress(Killed):
                yard.work()
            take_from_the_dead(yard)
    yard.work()
    assert yard.job(made["job_id"]).error["code"] == "WORKER_LOST"  # type: ignore[index]
    expect_nothing_left(yard, made, "failed")


def test_an_undo_that_is_killed_or_refused_goes_on_until_nothing_is_left(yard: Yard, calls: Calls) -> None:

    made = yard.place()
    with refusing(calls, "verify", AccessDenied("no")):
        run_to_its_end(yard, made)
    calls.refuse, calls.refusal = ("DELETE", "rolebindings"), Killed()
    with suppress(Killed):
        yard.work()
    take_from_the_dead(yard)
    calls.refusal = AccessDenied("not now")
    run_some(yard)
    assert yard.workspace(made["id"])["provisioning"]["status"] == "undoing"
    calls.refuse = None
    yard.work()
    expect_nothing_left(yard, made, "failed")


def test_an_undo_that_is_cancelled_is_begun_again(yard: Yard, calls: Calls) -> None:

    made = yard.place()
    with refusing(calls, "verify", AccessDenied("no")):
        run_to_its_end(yard, made)
    undo_job = yard.workspace(made["id"])["provisioning"]["undo_job_id"]
    data_of(yard.ask("POST", f"/jobs/{undo_job}/cancel"), 202)
    yard.work()
    expect_nothing_left(yard, made, "failed")


def test_a_namespace_of_somebody_else_is_refused_and_left_alone(yard: Yard) -> None:
    made = yard.place()
    theirs = {"metadata": {"name": made["namespace"], "labels": {"tenancy.headrace/workspace": made["job_id"]}}}
    yard.cluster.create(kinds.NAMESPACE, theirs)
    yard.work()
    found = yard.workspace(made["id"])
    assert (found["status"], found["provisioning"]["error"]["code"]) == ("failed", "NAMESPACE_NOT_OURS")
    labels = yard.cluster.get(kinds.NAMESPACE, made["namespace"])["metadata"]["labels"]
    assert labels["tenancy.headrace/workspace"] == made["job_id"]


def test_a_failed_one_can_be_tried_again_once_all_is_taken_back(yard: Yard, calls: Calls) -> None:

    made = yard.place()
    with refusing(calls, "verify", AccessDenied("no")):
        run_to_its_end(yard, made)
    assert error_of(yard.ask("POST", f"/jobs/{made['job_id']}/retry"), 409)["code"] == "INVALID_STATE"
    yard.work()
    data_of(yard.ask("POST", f"/jobs/{made['job_id']}/retry"), 202)
    assert yard.workspace(made["id"])["status"] == "provisioning"
    yard.work()
    assert yard.workspace(made["id"])["status"] == "active"
    assert len(yard.namespaces()) == 2


def test_one_that_never_answers_again_can_still_be_deleted_when_it_does(
    yard: Yard, server: ApiServer, calls: Calls
) -> None:

    made = yard.place()
    with refusing(calls, "verify", AccessDenied("no")):
        run_to_its_end(yard, made)
    data_of(yard.ask("DELETE", f"/workspaces/{made['id']}"), 202)
    yard.work()
    error_of(yard.ask("GET", f"/workspaces/{made['id']}"), 404)
    assert yard.namespaces() == []


def run_some(yard: Yard, jobs_done: int = 3) -> None:
    """Do what is due, but nothing that waits for its time."""
    runtime = make_runtime(yard.database, yard.tools)
    for _ in range(jobs_done):
        with yard.database.transaction() as session:
            due = select(Job.id).where(Job.status == jobs.QUEUED, Job.scheduled_for <= database_now())
            job_id = session.execute(due.order_by(Job.created_at).limit(1)).scalar()
        if job_id is None:
            return
        runtime.run_job(job_id)


def run_to_its_end(yard: Yard, made: Any) -> None:
    """Do what an operation's own job does, and nothing of what follows from its end."""
    runtime = make_runtime(yard.database, yard.tools)
    while not yard.job(made["job_id"]).is_final:
        yard.make_due()
        runtime.run_job(UUID(made["job_id"]))


def run_until_nobody_answers(yard: Yard, made: Any) -> None:
    """Do an operation's own job, turn by turn, up to where its cluster is away."""
    runtime = make_runtime(yard.database, yard.tools)
    while yard.operation(made["provisioning"]["id"]).waiting_for != "nobody answers":
        yard.make_due()
        runtime.run_job(UUID(made["job_id"]))
    assert yard.workspace(made["id"])["status"] == "provisioning"


def let_time_pass(yard: Yard) -> None:
    """Let an hour be over, for phases and for jobs."""
    hour = sql_seconds(7200)
    with yard.database.transaction() as session:
        session.execute(update(ProvisioningPhase).values(started_at=ProvisioningPhase.started_at - hour))
    yard.make_due()


def take_from_the_dead(yard: Yard) -> None:
    """Do what the relay does when a worker has not been heard of."""
    with yard.database.transaction() as session:
        dead = update(Job).where(Job.status == jobs.RUNNING, Job.lease_until.is_not(None))
        ids: list[UUID] = list(session.scalars(dead.values(lease_until=database_now() - sql_days(1)).returning(Job.id)))
    for job_id in ids:
        with yard.database.transaction() as session:
            jobs.reap(session, job_id)
    yard.make_due()
