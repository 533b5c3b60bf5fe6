"""Sources are made, changed and deleted; what opens them never comes back."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.kernel.db import Database
from app.monitoring.models import MetricSource
from tests.support.identity import Person, data_of, error_of
from tests.support.metrics import get

API = "/api/v1/metric-sources"
BODY = {"name": "shop", "url": "https://prometheus.example.com/shop", "queries": [{"query": "up"}]}
SECRET = "canary-of-sources"


def make(client: FlaskClient, person: Person, **fields: Any) -> Any:
    body = {**BODY, "organization_id": str(person.organization_id), **fields}
    return data_of(client.post(API, json=body, headers=person.headers), 201)


def change(client: FlaskClient, person: Person, source: Any, **fields: Any) -> Any:
    return client.patch(f"{API}/{source['id']}", json=fields, headers=person.headers)


def test_a_source_is_made_listed_changed_and_deleted(client: FlaskClient, alice: Person) -> None:
    made = make(client, alice, token=SECRET)
    assert (made["kind"], made["interval_seconds"], made["failures"], made["pulled_until"]) == (
        "prometheus",
        60,
        0,
        None,
    )
    assert [one["id"] for one in get(client, alice, "/metric-sources", kind="prometheus")] == [made["id"]]
    assert get(client, alice, "/metric-sources", kind="kubernetes") == []
    queries = [{"query": "sum(up)", "name": "all_up"}]
    changed = data_of(change(client, alice, made, queries=queries, interval_seconds=300))
    assert (changed["queries"], changed["interval_seconds"], changed["url"]) == (queries, 300, made["url"])
    assert client.delete(f"{API}/{made['id']}", headers=alice.headers).status_code == 204
    assert get(client, alice, "/metric-sources") == []


def test_what_opens_a_source_never_comes_back(client: FlaskClient, alice: Person, database: Database) -> None:
    made = make(client, alice, username="shop", password=SECRET)
    for reply in (client.get(f"{API}/{made['id']}", headers=alice.headers), change(client, alice, made, token=SECRET)):
        assert SECRET not in reply.text
        assert "password" not in reply.text
    with database.transaction() as session:
        stored = session.connection().exec_driver_sql("SELECT credentials FROM metric_sources").scalar_one()
    assert SECRET.encode() not in bytes(stored)


def test_another_server_takes_credentials_of_its_own(client: FlaskClient, alice: Person) -> None:
    made = make(client, alice, token=SECRET)
    assert change(client, alice, made, url="https://prometheus.example.com/other").status_code == 200
    error = error_of(change(client, alice, made, url="https://evil.example.com"), 422)
    assert [one["field"] for one in error["errors"]] == ["token"]
    assert change(client, alice, made, url="https://other.example.com", token="new").status_code == 200
    open_one = make(client, alice, name="open")
    assert change(client, alice, open_one, url="https://other.example.com").status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://prometheus.example.com",
        "https://127.0.0.1:9090",
        "https://169.254.169.254",
        "https://user:word@prometheus.example.com",
        "https://prometheus.example.com/?query=up",
        "https://prometheus.example.com/../x",
        "ftp://prometheus.example.com",
        "https://[::1",
        "https://prometheus.example.com:0",
        "https://a b",
    ],
)
def test_an_address_that_must_not_be_asked_is_refused(client: FlaskClient, alice: Person, url: str) -> None:
    error = error_of(client.post(API, json=BODY | {"url": url}, headers=alice.headers), 422)
    assert [one["field"] for one in error["errors"]] == ["url"]


def test_private_addresses_are_asked_where_the_installation_allows_them(
    app: Flask, client: FlaskClient, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.extensions["headrace"], "allow_private_addresses", True)
    assert make(client, alice, url="http://10.0.0.7:9090")["url"] == "http://10.0.0.7:9090"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"queries": [{"query": "rate(up[5m])"}]}, "queries.0.name"),
        ({"queries": [{"query": "up[5m]"}]}, "queries.0.name"),
        ({"queries": [{"query": "up"}, {"query": "1 + 1", "name": "a{b"}]}, "queries.1.name"),
        ({"queries": []}, "queries"),
        ({"token": "t", "username": "u", "password": "p"}, "token"),
        ({"username": "u"}, "password"),
        ({"interval_seconds": 1}, "interval_seconds"),
        ({"token": "two words"}, "token"),
    ],
)
def test_what_does_not_go_together_is_refused(client: FlaskClient, alice: Person, fields: Any, field: str) -> None:
    error = error_of(client.post(API, json=BODY | fields, headers=alice.headers), 422)
    assert [one["field"] for one in error["errors"]] == [field]


def test_strangers_see_no_sources(client: FlaskClient, alice: Person, charlie: Person) -> None:
    made = make(client, alice)
    assert get(client, charlie, "/metric-sources") == []
    for method in ("GET", "DELETE"):
        error_of(client.open(f"{API}/{made['id']}", method=method, headers=charlie.headers), 404)
    body = {"organization_id": str(alice.organization_id)}
    error_of(client.post("/api/v1/metrics/collect", json=body, headers=charlie.headers), 404)


def test_a_change_lets_a_source_be_asked_soon(client: FlaskClient, alice: Person, database: Database) -> None:
    made = make(client, alice)
    with database.transaction() as session:
        session.execute(update(MetricSource).values(next_pull_at="2100-01-01", failures=7))
    changed = data_of(change(client, alice, made, name="other"))
    assert changed["failures"] == 0
    assert changed["next_pull_at"] < "2100"
