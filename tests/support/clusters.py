"""Clusters, registered as clients register them, and the worker's parts that look after them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import select

from app import jobs
from app.clusters import Access, Cluster
from app.jobs import Job
from app.kernel.db import Database
from app.kernel.events import EventRecord
from app.kernel.intents import Intent
from config.settings import Settings
from tasks.tools import Tools
from tests.support.identity import Person, data_of
from tests.support.work import drain
from workers.composition import open_tools

API = "/api/v1/clusters"


def parts_of(access: Access) -> dict[str, Any]:
    """Return what registers a cluster part by part."""
    given = {"server": access.server, "ca": access.ca, "token": access.token}
    given |= {"certificate": access.certificate, "key": access.key}
    return {name: value for name, value in given.items() if value is not None}


def register(client: FlaskClient, person: Person, access: Access, name: str = "production", **fields: Any) -> Any:
    """Register a cluster and return it as the 202 shows it."""
    body = {"name": name, "organization_id": str(person.organization_id), **parts_of(access), **fields}
    return data_of(client.post(API, json=body, headers=person.headers), 202)


def make_tools(settings: Settings, folder: Path, **changed: Any) -> Tools:
    """Return a worker's tools for clusters on this machine, which wait for a second at most."""
    loopback = {"allow_loopback_clusters": True, "cluster_check_timeout_seconds": 1.0}
    return open_tools(replace(settings, data_dir=folder, **(loopback | changed)))


class Keeper:
    """Does what is asked of workers, and tells what came of it."""

    def __init__(self, database: Database, tools: Tools) -> None:
        self.database = database
        self.tools = tools

    def drain(self) -> int:
        """Do everything that is due."""
        return drain(self.database, self.tools)

    def do(self, intent: Intent) -> Any:
        """Do what is asked for, and everything else that is due; returns what the job tells."""
        with self.database.transaction() as session:
            job_id = jobs.accept(session, intent)
        self.drain()
        job = self.job(str(job_id))
        assert job.status == "succeeded", job.error
        return job.result

    def cluster(self, cluster_id: str) -> Cluster:
        """Read a cluster."""
        with self.database.transaction() as session:
            return session.get_one(Cluster, UUID(cluster_id))

    def job(self, job_id: str) -> Job:
        """Read a job."""
        with self.database.transaction() as session:
            return session.get_one(Job, UUID(job_id))

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of a type, in the order they happened."""
        with self.database.transaction() as session:
            told = select(EventRecord).where(EventRecord.type == kind).order_by(EventRecord.created_at)
            return [record.data for record in session.scalars(told)]
