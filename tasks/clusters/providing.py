"""Having providers make clusters and take them away: asked again and again, no worker waits in between."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from app import jobs
from app.clusters import AccessRules, Wishes, keep_made, read_wishes_of, refuse_overdue
from app.jobs import Run
from tasks.clusters.gateways.providers import (
    CapiProvider,
    EksProvider,
    LocalProvider,
    Order,
    Provider,
    Ready,
    Working,
)
from tasks.clusters.looking import connect
from tasks.clusters.opening import open_cluster
from tasks.tools import Tools


def provision(run: Run, cluster_id: UUID, tools: Tools) -> dict[str, Any] | None:
    """Ask the provider once, and either wait for it, by giving the job back, or ask the cluster for the first time.

    Raises ProviderFailed, ProviderAway, ProvisioningOverdue, and as `connect` does.
    """
    provider, order = _prepare(run, cluster_id, tools)
    state = provider.ensure(order)
    if isinstance(state, Working):
        _wait(run, state)
        return None
    with run.recording() as (session, job):
        _keep(session, tools, cluster_id, state)
        jobs.advance(session, job, percent=95, phase="connecting")
    return connect(run, cluster_id, tools)


def take_away(run: Run, cluster_id: UUID, tools: Tools) -> bool:
    """Ask the provider to remove what it has made; False where the job waits for it."""
    provider, order = _prepare(run, cluster_id, tools)
    state = provider.remove(order)
    if state is not None:
        _wait(run, state)
    return state is None


def choose_provider(run: Run, tools: Tools, name: str) -> Provider:
    """Return the provider of a name."""
    rules = AccessRules(tools.clusters.addresses, allow_unverified=tools.clusters.allow_unverified)
    match name:
        case "eks":
            return EksProvider()
        case "capi":
            return CapiProvider(partial(open_cluster, run, tools), rules)
        case _:
            return LocalProvider(rules, run.check)


def _prepare(run: Run, cluster_id: UUID, tools: Tools) -> tuple[Provider, Order]:
    with run.reading() as session:
        wishes: Wishes = read_wishes_of(session, tools.vault, cluster_id)
    order = Order(cluster_id, wishes.key, wishes.parameters, wishes.credentials)
    return choose_provider(run, tools, wishes.provider), order


def _wait(run: Run, state: Working) -> None:
    with run.recording() as (session, job):
        refuse_overdue(session, job)
        jobs.advance(session, job, percent=state.percent, phase=state.phase, message=state.message)
        run.wait(session, job, state.retry_after, state.message)


def _keep(session: Any, tools: Tools, cluster_id: UUID, state: Ready) -> None:
    keep_made(session, tools.vault, cluster_id, state.access)
