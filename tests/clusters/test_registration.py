"""Registering clusters, changing what opens them, and removing them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.clusters import ClusterInUse, reveal_access, write_kubeconfig
from app.clusters.hooks import _objections
from app.identity import Scope
from app.kernel.crypto import Vault
from app.kernel.db import Database
from tests.conftest import SECRET
from tests.support.certificates import DAY, Authority
from tests.support.clusters import API, Keeper, register
from tests.support.identity import Person, data_of, error_of, join
from tests.support.kubernetes import ApiServer
from tests.support.rights import give
from tests.support.secrets import tables_that_show

PUBLIC = {"server": "https://kube.example.com:6443", "token": "canary-token-of-a-cluster"}


def post(client: FlaskClient, person: Person, **body: Any) -> Any:
    return client.post(API, json={"name": "production", **body}, headers=person.headers)


def fields_of(response: Any) -> dict[str, str]:
    return {fault["field"]: fault["message"] for fault in error_of(response, 422)["errors"]}


def test_a_cluster_is_registered_by_its_parts_and_its_job_connects_it(
    client: FlaskClient, alice: Person, api_server: ApiServer, keeper: Keeper
) -> None:
    made = register(client, alice, api_server.access(), tags={"team": "shop"}, region="eu-1")
    assert (made["status"], made["provider"], made["tags"]) == ("pending", "kubeconfig", {"team": "shop"})
    assert keeper.drain() == 1
    shown = data_of(client.get(f"{API}/{made['id']}", headers=alice.headers))
    assert (shown["status"], shown["version"], shown["status_reason"]) == ("connected", api_server.api.version, None)
    job = data_of(client.get(f"/api/v1/jobs/{made['job_id']}", headers=alice.headers))
    assert job["status"] == "succeeded"
    assert job["result"]["healthy"]
    assert job["resource"] == {"type": "cluster", "id": made["id"]}
    assert [event["new_status"] for event in keeper.events("cluster.health_changed")] == ["connected"]
    assert keeper.events("cluster.created")[0]["name"] == "production"


@pytest.mark.parametrize("is_encoded", [False, True])
def test_a_cluster_is_registered_by_a_kubeconfig_plain_or_in_base64(
    client: FlaskClient, alice: Person, api_server: ApiServer, keeper: Keeper, is_encoded: bool
) -> None:
    text = write_kubeconfig("admin@one", api_server.access())
    given = base64.b64encode(text.encode()).decode() if is_encoded else text
    made = data_of(post(client, alice, kubeconfig=given), 202)
    keeper.drain()
    assert keeper.cluster(made["id"]).status == "connected"


def test_nothing_that_opens_it_is_shown_or_kept_in_clear(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    replies = [post(client, alice, **PUBLIC)]
    path = f"{API}/{replies[0].get_json()['data']['id']}"
    replies += [client.get(one, headers=alice.headers) for one in (path, API, f"{path}/health")]
    replies.append(client.patch(path, json={"description": "x"}, headers=alice.headers))
    assert not [reply for reply in replies if PUBLIC["token"] in reply.get_data(as_text=True)]
    assert tables_that_show(database, PUBLIC["token"]) == []


def test_other_credentials_replace_those_before(client: FlaskClient, alice: Person, database: Database) -> None:
    made = data_of(post(client, alice, **PUBLIC), 202)
    changed = client.patch(f"{API}/{made['id']}", json={"token": "second"}, headers=alice.headers)
    assert data_of(changed)["server"] == PUBLIC["server"]
    with database.transaction() as session:
        access = reveal_access(session, Vault(SECRET), made["id"])
    assert (access.server, access.token) == (PUBLIC["server"], "second")


def test_another_server_takes_credentials_of_its_own(client: FlaskClient, alice: Person) -> None:
    """Else whoever may change a cluster could have its token sent to a server of theirs."""
    made = data_of(post(client, alice, **PUBLIC), 202)
    path = f"{API}/{made['id']}"
    for leading in ({"server": "https://elsewhere.example.com"}, {"server_name": "other.example.com"}):
        assert "token" in fields_of(client.patch(path, json=leading, headers=alice.headers))
        assert data_of(client.patch(path, json=leading | {"token": "its-own"}, headers=alice.headers))


def test_a_put_resets_what_it_leaves_out_but_not_the_credentials(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    made = data_of(post(client, alice, region="eu-1", tags={"a": "b"}, **PUBLIC), 202)
    put = data_of(client.put(f"{API}/{made['id']}", json={"name": "renamed"}, headers=alice.headers))
    assert (put["name"], put["region"], put["tags"], put["server"]) == ("renamed", None, {}, PUBLIC["server"])
    with database.transaction() as session:
        assert reveal_access(session, Vault(SECRET), made["id"]).token == PUBLIC["token"]


def test_clusters_are_found_by_status_provider_region_and_text(client: FlaskClient, alice: Person) -> None:
    post(client, alice, provider="aws", region="eu-1", **PUBLIC)
    post(client, alice, **PUBLIC | {"name": "staging", "description": "for trying"})

    def names(query: str) -> list[str]:
        return [one["name"] for one in data_of(client.get(f"{API}?sort=name&{query}", headers=alice.headers))]

    assert names("status=pending") == ["production", "staging"]
    assert names("status=connected") == []
    assert names("provider=aws") == names("region=eu-1") == names("search=PROD") == ["production"]
    assert names("search=Trying") == ["staging"]


def test_a_removed_cluster_is_forgotten(
    client: FlaskClient, alice: Person, api_server: ApiServer, keeper: Keeper
) -> None:
    made = register(client, alice, api_server.access())
    keeper.drain()
    gone = data_of(client.delete(f"{API}/{made['id']}", headers=alice.headers), 202)
    assert gone["status"] == "deleting"
    again = client.delete(f"{API}/{made['id']}", headers=alice.headers)
    assert error_of(again, 409)["code"] == "INVALID_STATE"
    keeper.drain()
    assert keeper.job(gone["job_id"]).status == "succeeded"
    assert error_of(client.get(f"{API}/{made['id']}", headers=alice.headers), 404)
    assert [event["name"] for event in keeper.events("cluster.deleted")] == ["production"]


def test_a_removal_that_is_cancelled_leaves_the_cluster_to_be_removed_again(
    client: FlaskClient, alice: Person, keeper: Keeper
) -> None:
    made = data_of(post(client, alice, **PUBLIC), 202)
    gone = data_of(client.delete(f"{API}/{made['id']}", headers=alice.headers), 202)
    client.post(f"/api/v1/jobs/{gone['job_id']}/cancel", headers=alice.headers)
    shown = data_of(client.get(f"{API}/{made['id']}", headers=alice.headers))
    assert (shown["status"], shown["status_reason"]) == ("error", "Its removal was cancelled.")
    data_of(client.post(f"/api/v1/jobs/{gone['job_id']}/retry", headers=alice.headers), 202)
    assert keeper.cluster(made["id"]).status == "deleting"
    keeper.drain()
    assert error_of(client.get(f"{API}/{made['id']}", headers=alice.headers), 404)


def test_a_cluster_on_which_something_sits_stays(
    client: FlaskClient, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = data_of(post(client, alice, **PUBLIC), 202)

    def object_always(*_: Any) -> None:
        raise ClusterInUse(workspaces=1)

    monkeypatch.setattr("app.clusters.hooks._objections", [*_objections, object_always])
    error = error_of(client.delete(f"{API}/{made['id']}", headers=alice.headers), 409)
    assert (error["code"], error["details"]) == ("RESOURCE_IN_USE", {"workspaces": 1})


def test_an_organization_with_clusters_stays(client: FlaskClient, alice: Person) -> None:
    team = data_of(client.post("/api/v1/organizations", json={"name": "Team"}, headers=alice.headers), 201)
    data_of(post(client, alice, organization_id=team["id"], **PUBLIC), 202)
    error = error_of(client.delete(f"/api/v1/organizations/{team['id']}", headers=alice.headers), 409)
    assert (error["code"], error["details"]) == ("RESOURCE_IN_USE", {"clusters": 1})


def test_a_name_is_taken_once_in_an_organization(client: FlaskClient, alice: Person, charlie: Person) -> None:
    data_of(post(client, alice, **PUBLIC), 202)
    assert error_of(post(client, alice, **PUBLIC), 409)["code"] == "RESOURCE_ALREADY_EXISTS"
    data_of(post(client, charlie, **PUBLIC), 202)


@pytest.mark.parametrize("name", ["n" * 64, "", "-a", "a b", "a/b", "ä", "a\n"])
def test_names_that_clusters_cannot_have_are_refused(client: FlaskClient, alice: Person, name: str) -> None:
    assert fields_of(post(client, alice, **PUBLIC | {"name": name})).keys() == {"name"}
    assert data_of(post(client, alice, **PUBLIC | {"name": "n" * 63}), 202)


@pytest.mark.parametrize(
    "server",
    ["https://127.0.0.1:6443", "https://localhost", "https://169.254.169.254", "https://10.0.0.1", "http://a.example"],
)
def test_servers_that_are_not_allowed_are_refused(client: FlaskClient, alice: Person, server: str) -> None:
    assert fields_of(post(client, alice, server=server, token="t")).keys() == {"server"}


def test_link_local_servers_are_refused_whatever_is_allowed(
    client: FlaskClient, alice: Person, on_loopback: None
) -> None:
    assert "link-local" in fields_of(post(client, alice, server="https://169.254.1.1", token="t"))["server"]


def kubeconfig(user: str, contexts: int = 1) -> str:
    listed = "".join(f"  - {{name: c{n}, context: {{cluster: k, user: u}}}}\n" for n in range(contexts))
    cluster = "{name: k, cluster: {server: 'https://kube.example.com'}}"
    return f"current-context: c0\nclusters: [{cluster}]\nusers: [{{name: u, user: {user}}}]\ncontexts:\n{listed}"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (kubeconfig("{exec: {command: touch}}"), "kubeconfig.users[0].user.exec"),
        (kubeconfig("{client-key: /etc/shadow}"), "kubeconfig.users[0].user.client-key"),
        (kubeconfig("{token: t}", contexts=20), "kubeconfig.contexts"),
        ("a: &x [b]\nc: *x", "kubeconfig"),
        ("AAAA", "kubeconfig"),
    ],
)
def test_kubeconfigs_that_must_not_be_used_are_refused_by_their_field(
    client: FlaskClient, alice: Person, text: str, field: str
) -> None:
    assert fields_of(post(client, alice, kubeconfig=text)).keys() == {field}


def test_a_certificate_that_has_expired_is_refused_with_its_dates(client: FlaskClient, alice: Person) -> None:
    pair = Authority().issue("alice", starts=-2 * DAY, ends=-DAY)
    parts = {"server": PUBLIC["server"], "certificate": pair.certificate, "key": pair.key}
    assert "expired" in fields_of(post(client, alice, **parts))["certificate"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kubeconfig"),
        ({"token": "t"}, "server"),
        ({"server": PUBLIC["server"]}, "token"),
        ({"kubeconfig": "a: b", "token": "t"}, "token"),
        ({"context": "c", **PUBLIC}, "context"),
        ({"verify": False, **PUBLIC}, "verify"),
        ({"provider": "nowhere", **PUBLIC}, "provider"),
        ({"status": "connected", **PUBLIC}, "status"),
        ({"credentials": "x", **PUBLIC}, "credentials"),
    ],
)
def test_what_does_not_open_a_cluster_is_refused(
    client: FlaskClient, alice: Person, body: dict[str, Any], field: str
) -> None:
    assert field in fields_of(post(client, alice, **body))


def test_a_change_is_guarded_by_the_tag_and_checks_do_not_disturb_it(
    client: FlaskClient, alice: Person, api_server: ApiServer, keeper: Keeper
) -> None:
    made = register(client, alice, api_server.access())
    keeper.drain()
    path = f"{API}/{made['id']}"
    tag = client.get(path, headers=alice.headers).headers["ETag"]
    client.post(f"{path}/health-check", headers=alice.headers)
    keeper.drain()
    guarded = alice.headers | {"If-Match": tag}
    assert data_of(client.patch(path, json={"description": "x"}, headers=guarded))
    assert error_of(client.patch(path, json={"description": "y"}, headers=guarded), 412)


def test_who_runs_one_cluster_reaches_that_one_and_its_jobs(
    client: FlaskClient, alice: Person, charlie: Person, database: Database
) -> None:
    mine = data_of(post(client, alice, **PUBLIC), 202)
    other = data_of(post(client, alice, **PUBLIC | {"name": "other"}), 202)
    assert error_of(client.get(f"{API}/{mine['id']}", headers=charlie.headers), 404)
    give(database, charlie, "cluster-admin", Scope("cluster", mine["id"]))
    assert data_of(client.patch(f"{API}/{mine['id']}", json={"region": "eu"}, headers=charlie.headers))
    assert [one["id"] for one in data_of(client.get(API, headers=charlie.headers))] == [mine["id"]]
    assert data_of(client.get(f"/api/v1/jobs/{mine['job_id']}", headers=charlie.headers))
    assert error_of(client.get(f"{API}/{other['id']}", headers=charlie.headers), 404)
    assert error_of(client.get(f"/api/v1/jobs/{other['job_id']}", headers=charlie.headers), 404)


def test_a_member_reads_but_does_not_write(
    client: FlaskClient, alice: Person, charlie: Person, database: Database
) -> None:
    made = data_of(post(client, alice, **PUBLIC), 202)
    join(database, charlie, alice.organization_id, "member")
    assert data_of(client.get(f"{API}/{made['id']}", headers=charlie.headers))
    error = error_of(client.patch(f"{API}/{made['id']}", json={}, headers=charlie.headers), 403)
    assert error["details"]["required_permission"] == "clusters:write"
