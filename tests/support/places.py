"""Workspaces on clusters: a cluster that is registered, the API and the worker's parts, and what is on the cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app import jobs
from app.clusters import Access, Cluster, ClusterHealth
from app.clusters.credentials import seal_access
from app.jobs import Job
from app.kernel.addresses import AddressRules
from app.kernel.clock import database_now
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.events import EventRecord
from app.kernel.ids import new_id
from app.switchboard import dispatch
from app.tenancy import Provisioning, names
from config.settings import Settings
from tasks.clusters.gateways.kubernetes import ObjectNotFound, RestCluster, kinds, list_all
from tasks.tools import Tools
from tests.support.identity import Person, data_of
from tests.support.work import drain
from workers.composition import open_tools

API = "/api/v1"
LOOPBACK = AddressRules(allow_loopback=True)


def make_tools(settings: Settings, folder: Path, **changed: Any) -> Tools:
    """Return a worker's tools for clusters on this machine."""
    return open_tools(replace(settings, data_dir=folder, allow_loopback_clusters=True, **changed))


def make_cluster(app: Flask, database: Database, owner: Person, access: Access, name: str = "host") -> UUID:
    """Register a cluster of a person's own organization as one that was connected to; return its id."""
    vault: Vault = app.extensions["headrace"].vault
    with database.transaction() as session:
        about = {"organization_id": owner.organization_id, "name": name, "provider": "kubeconfig"}
        cluster = Cluster(id=new_id(), status="connected", health=ClusterHealth(), **about)
        seal_access(vault, cluster, access)
        session.add(cluster)
        session.flush()
        return cluster.id


@dataclass
class Yard:
    """Alice's cluster, and what is done on it."""

    client: FlaskClient
    database: Database
    tools: Tools
    alice: Person
    cluster_id: UUID
    access: Access
    cluster: RestCluster

    def ask(self, method: str, path: str, body: Any = None, *, person: Person | None = None) -> Any:
        """Send a request as somebody, as Alice unless another is named."""
        return self.client.open(API + path, method=method, json=body, headers=(person or self.alice).headers)

    def place(self, name: str = "Web shop", **fields: Any) -> Any:
        """Ask for a workspace on the cluster."""
        body = {"name": name, "organization_id": str(self.alice.organization_id), "cluster_id": str(self.cluster_id)}
        return data_of(self.ask("POST", "/workspaces", body | fields), 202)

    def placed(self, name: str = "Web shop", **fields: Any) -> Any:
        """Make a workspace on the cluster, and return it as it is when that is done."""
        made = self.place(name, **fields)
        self.work()
        found = self.workspace(made["id"])
        assert found["status"] == "active", found
        return found

    def workspace(self, workspace_id: str) -> Any:
        """Read a workspace."""
        return data_of(self.ask("GET", f"/workspaces/{workspace_id}"))

    def project(self, workspace_id: str, name: str, **fields: Any) -> Any:
        """Make a project, and return it as it is when that is done."""
        made = data_of(self.ask("POST", f"/workspaces/{workspace_id}/projects", {"name": name, **fields}), 202)
        self.work()
        return data_of(self.ask("GET", f"/workspaces/{workspace_id}/projects/{made['id']}"))

    def work(self, turns: int = 30) -> None:
        """Do all there is to do, and what waits for another turn as well."""
        for _ in range(turns):
            drain(self.database, self.tools)
            if not self.make_due():
                return
        raise AssertionError("it does not come to an end")

    def turn(self) -> None:
        """Do what is due, and not what waits for another turn."""
        drain(self.database, self.tools)

    def make_due(self) -> int:
        """Let what waits for its time be due; returns how many jobs that were."""
        with self.database.transaction() as session:
            waiting = update(Job).where(Job.status == jobs.QUEUED).values(scheduled_for=database_now())
            return len(session.execute(waiting.returning(Job.id)).all())

    def dispatch(self) -> None:
        """Let everything follow that follows from the events so far."""
        with self.database.transaction() as session:
            new = select(EventRecord).where(EventRecord.dispatched_at.is_(None)).order_by(EventRecord.created_at)
            dispatch(session, session.scalars(new).all())

    def job(self, job_id: str) -> Job:
        """Read a job."""
        with self.database.transaction() as session:
            return session.get_one(Job, UUID(job_id))

    def operation(self, provisioning_id: str) -> Provisioning:
        """Read an operation with its phases."""
        with self.database.transaction() as session:
            return session.get_one(Provisioning, UUID(provisioning_id))

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of a type, in the order they happened."""
        with self.database.transaction() as session:
            told = select(EventRecord).where(EventRecord.type == kind).order_by(EventRecord.created_at, EventRecord.id)
            return [record.data for record in session.scalars(told)]

    def namespaces(self) -> list[str]:
        """Return the namespaces that are ours."""
        ours = list_all(self.cluster, kinds.NAMESPACE, labels=f"app.kubernetes.io/managed-by={names.MANAGER}")
        return sorted(one["metadata"]["name"] for one in ours)

    def has(self, kind: Any, name: str, namespace: str | None = None) -> bool:
        """Tell whether the cluster has an object."""
        try:
            return bool(self.cluster.get(kind, name, namespace))
        except ObjectNotFound:
            return False

    def subjects(self, namespace: str, role: str) -> list[str]:
        """Return the accounts that have a role in a namespace."""
        binding = self.cluster.get(kinds.ROLE_BINDING, f"headrace-{role}", namespace)
        return sorted(one["name"] for one in binding.get("subjects") or [])
