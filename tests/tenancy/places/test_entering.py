"""Members on the cluster: kubeconfigs with their rights alone, and what becomes of them when a membership ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from flask import Flask
from sqlalchemy import select

from app.clusters import Access
from app.jobs import Job
from app.kernel.db import Database
from app.tenancy import SyncMembers
from app.tenancy.routes import places
from tasks.clusters.gateways.kubernetes import AccessDenied, NotAuthenticated, RestCluster, kinds
from tests.clusters.contract.world import config_map
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.places import LOOPBACK, Yard

pytestmark = pytest.mark.slow


@pytest.fixture
def bob(yard: Yard, app: Flask, database: Database) -> Person:
    """Somebody who has an account, and no part in anything."""
    return make_person(app, database, "bob")


def kubeconfig(yard: Yard, workspace_id: str, person: Person | None = None) -> Any:
    """Fetch a kubeconfig: asked for once, done by the worker, asked for again."""
    path = f"/workspaces/{workspace_id}/kubeconfig"
    reply = yard.ask("GET", path, person=person)
    if reply.status_code == 503:
        yard.work()
        reply = yard.ask("GET", path, person=person)
    assert reply.status_code == 200, reply.get_data(as_text=True)
    assert (reply.content_type, reply.headers["Cache-Control"]) == ("application/yaml", "no-store")
    return yaml.safe_load(reply.get_data(as_text=True))


Enter = Callable[[Any], RestCluster]


@pytest.fixture
def enter(yard: Yard) -> Iterator[Enter]:
    """Opens the cluster by a kubeconfig."""
    opened: list[RestCluster] = []

    def enter(found: Any) -> RestCluster:
        token = found["users"][0]["user"]["token"]
        opened.append(RestCluster(Access(yard.access.server, ca=yard.access.ca, token=token), rules=LOOPBACK))
        return opened[-1]

    yield enter
    for cluster in opened:
        cluster.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker runs beside these requests: they are not held."""
    monkeypatch.setattr(places, "LONGEST_SECONDS", 0.0)


def test_a_member_gets_a_kubeconfig_with_their_rights_and_no_more(yard: Yard, bob: Person, enter: Enter) -> None:
    found = yard.placed()
    join_workspace(yard, found["id"], bob, "viewer")
    told = kubeconfig(yard, found["id"], bob)
    assert told["contexts"][0]["context"]["namespace"] == found["namespace"]
    cluster = enter(told)
    assert cluster.list_page(kinds.CONFIG_MAP, found["namespace"]).items
    with pytest.raises(AccessDenied):
        cluster.create(kinds.CONFIG_MAP, config_map(found["namespace"]))
    for namespace in ("default", f"{found['namespace']}-access"):
        with pytest.raises(AccessDenied):
            cluster.list_page(kinds.SERVICE_ACCOUNT, namespace)


def test_it_is_given_again_while_it_is_fresh_and_only_to_the_one_it_is_for(yard: Yard, bob: Person) -> None:
    found = yard.placed()
    join_workspace(yard, found["id"], bob, "editor")
    alices, bobs = kubeconfig(yard, found["id"]), kubeconfig(yard, found["id"], bob)
    assert kubeconfig(yard, found["id"]) == alices
    assert alices["users"] != bobs["users"]
    with yard.database.transaction() as session:
        stored = session.connection().exec_driver_sql("SELECT access FROM workspace_credentials").scalars().all()
    assert not any(alices["users"][0]["user"]["token"].encode() in bytes(one) for one in stored)


def test_a_request_for_it_is_held_until_a_worker_has_fetched_it(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    found = yard.placed()
    asked = threading.Event()
    monkeypatch.setattr(places, "LONGEST_SECONDS", 30.0)

    def work_instead(_: float) -> None:
        asked.set()
        yard.work()

    monkeypatch.setattr(places.time, "sleep", work_instead)
    assert yard.ask("GET", f"/workspaces/{found['id']}/kubeconfig").status_code == 200
    assert asked.is_set()


def test_the_end_of_a_membership_is_the_end_of_its_token(yard: Yard, bob: Person, enter: Enter) -> None:
    found = yard.placed()
    join_workspace(yard, found["id"], bob, "editor")
    cluster = enter(kubeconfig(yard, found["id"], bob))
    cluster.create(kinds.CONFIG_MAP, config_map(found["namespace"]))
    removed = yard.ask("DELETE", f"/workspaces/{found['id']}/members/{bob.user.id}")
    assert removed.status_code == 204
    error_of(yard.ask("GET", f"/workspaces/{found['id']}/kubeconfig", person=bob), 404)
    yard.dispatch()
    yard.work()
    with pytest.raises(NotAuthenticated):
        cluster.list_page(kinds.CONFIG_MAP, found["namespace"])
    assert yard.subjects(found["namespace"], "edit") == []


def test_another_role_is_another_right_with_the_same_token(yard: Yard, bob: Person, enter: Enter) -> None:
    found = yard.placed()
    join_workspace(yard, found["id"], bob, "editor")
    cluster = enter(kubeconfig(yard, found["id"], bob))
    data_of(yard.ask("PUT", f"/workspaces/{found['id']}/members/{bob.user.id}/role", {"role": "viewer"}))
    yard.dispatch()
    yard.work()
    with pytest.raises(AccessDenied):
        cluster.create(kinds.CONFIG_MAP, config_map(found["namespace"]))
    cluster.list_page(kinds.CONFIG_MAP, found["namespace"])


def test_leaving_the_organization_leaves_all_of_its_workspaces(yard: Yard, bob: Person, database: Database) -> None:
    join(database, bob, yard.alice.organization_id, "member")
    spaces = [yard.placed(name)["namespace"] for name in ("One", "Two")]
    assert all(yard.subjects(space, "edit") for space in spaces)
    path = f"/organizations/{yard.alice.organization_id}/members/{bob.user.id}"
    assert yard.ask("DELETE", path).status_code == 204
    yard.dispatch()
    yard.work()
    assert not any(yard.subjects(space, "edit") for space in spaces)


def test_many_changes_of_members_are_one_look_at_the_cluster(yard: Yard, app: Flask, database: Database) -> None:
    found = yard.placed()
    people = [make_person(app, database, name) for name in ("ann", "ben", "cyd")]
    for person in people:
        body = {"email": person.user.email, "role": "editor"}
        data_of(yard.ask("POST", f"/workspaces/{found['id']}/members", body), 201)
    yard.dispatch()
    with database.transaction() as session:
        assert len(session.scalars(select(Job).where(Job.kind == SyncMembers.kind)).all()) == 1
    yard.work()
    assert len(yard.subjects(found["namespace"], "edit")) == 3


def test_who_joins_while_it_is_being_made_is_let_in(yard: Yard, bob: Person) -> None:
    made = yard.place()
    join_workspace(yard, made["id"], bob, "editor")
    assert yard.subjects(made["namespace"], "edit") == [f"member-{bob.user.id.hex}"]


def test_a_key_that_may_less_than_its_owner_gets_none(yard: Yard) -> None:
    found = yard.placed()
    key = data_of(yard.ask("POST", "/api-keys", {"name": "k", "scopes": ["workspaces:read"]}), 201)["key"]
    path = f"/api/v1/workspaces/{found['id']}/kubeconfig"
    assert yard.client.get(path, headers={"X-API-Key": key}).status_code == 403


def test_a_stranger_gets_none(yard: Yard, bob: Person) -> None:
    found = yard.placed()
    error_of(yard.ask("GET", f"/workspaces/{found['id']}/kubeconfig", person=bob), 404)


def join_workspace(yard: Yard, workspace_id: str, person: Person, role: str) -> None:
    """Make somebody a member of a workspace, on the cluster too."""
    body = {"email": person.user.email, "role": role}
    data_of(yard.ask("POST", f"/workspaces/{workspace_id}/members", body), 201)
    yard.dispatch()
    yard.work()
