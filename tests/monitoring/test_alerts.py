"""Alerts: from samples to the telling, each with its story."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.alerts import Watcher
from tests.support.clusters import Keeper
from tests.support.identity import Person, data_of, error_of
from tests.support.metrics import get, series, write

RULES = "/api/v1/alert-rules"
SILENCES = "/api/v1/silences"
INGEST = "/api/v1/alerts/ingest"
AT_ONCE = {"group_wait_seconds": 0, "group_interval_seconds": 0}


def make_rule(client: FlaskClient, person: Person, **fields: Any) -> Any:
    body = {"name": "much", "query": "m", "threshold": 10, "interval_seconds": 10, **AT_ONCE, **fields}
    return data_of(client.post(RULES, json=body, headers=person.headers), 201)


def alerts(client: FlaskClient, person: Person, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get(client, person, "/alerts", **filters)
    return found


def story(client: FlaskClient, person: Person, alert: dict[str, Any]) -> tuple[list[str], str]:
    told = get(client, person, f"/alerts/{alert['id']}")
    return [step["step"] for step in told["story"]], told["why"]


def test_an_alert_fires_is_told_and_is_over(
    client: FlaskClient, alice: Person, watcher: Watcher, keeper: Keeper, push: Callable[..., None]
) -> None:
    rule = make_rule(client, alice, title="{{pod}} has much", labels={"team": "shop"}, routes=[ROUTE])
    push(50.0, pod="web")
    push(5.0, pod="db")
    watcher.look()
    (alert,) = alerts(client, alice)
    assert (alert["status"], alert["value"], alert["title"]) == ("firing", 50.0, "web has much")
    assert alert["labels"] == {"alertname": "much", "pod": "web", "severity": "warning", "team": "shop"}
    told = get(client, alice, f"/alerts/{alert['id']}")
    assert [step["step"] for step in told["story"]] == ["pending", "fired", "grouped", "told", "attempted"]
    assert told["story"][1]["detail"]["rule"]["threshold"] == 10
    assert told["story"][1]["detail"]["samples"][-1][1] == 50.0
    assert told["story"][3]["detail"]["routes"] == [ROUTE]
    assert told["why"].startswith("It was told")
    (event,) = keeper.events("alert.triggered")
    assert (event["alert_id"], event["rule_id"], event["routes"]) == (alert["id"], rule["id"], [ROUTE])
    watcher.look()
    assert len(keeper.events("alert.triggered")) == 1
    push(1.0, pod="web")
    watcher.look()
    assert alerts(client, alice, status="resolved")[0]["id"] == alert["id"]
    assert [one["alert_id"] for one in keeper.events("alert.resolved")] == [alert["id"]]


ROUTE = {"kind": "email", "to": "team@example.com"}


def test_what_does_not_hold_for_long_enough_never_fires(
    client: FlaskClient, alice: Person, watcher: Watcher, keeper: Keeper, push: Callable[..., None]
) -> None:
    make_rule(client, alice, for_seconds=3600)
    push(50.0)
    watcher.look()
    (alert,) = alerts(client, alice, status="pending")
    assert story(client, alice, alert)[0] == ["pending"]
    push(1.0)
    watcher.look()
    assert alerts(client, alice) == []
    assert keeper.events("alert.triggered") == []


def test_a_silence_mutes_and_the_story_says_so_until_it_ends(
    client: FlaskClient, alice: Person, watcher: Watcher, keeper: Keeper, push: Callable[..., None]
) -> None:
    body = {
        "matchers": [{"label": "pod", "value": "web"}],
        "starts_at": "2026-01-01T00:00:00Z",
        "ends_at": "2199-01-01T00:00:00Z",
        "comment": "new disks",
    }
    silence = data_of(client.post(SILENCES, json=body, headers=alice.headers), 201)
    make_rule(client, alice)
    push(50.0, pod="web")
    watcher.look()
    (alert,) = alerts(client, alice)
    steps, why = story(client, alice, alert)
    assert steps == ["pending", "fired", "grouped", "muted"]
    assert why == "It was not told: A silence holds: new disks"
    told = get(client, alice, f"/alerts/{alert['id']}")
    assert told["story"][-1]["detail"]["silence_id"] == silence["id"]
    watcher.tell(later=60)
    assert story(client, alice, alert)[0] == steps
    assert client.delete(f"{SILENCES}/{silence['id']}", headers=alice.headers).status_code == 204
    watcher.tell(later=60)
    assert story(client, alice, alert)[0] == [*steps, "told"]
    assert len(keeper.events("alert.triggered")) == 1


def test_a_node_that_is_down_mutes_its_pods(
    client: FlaskClient, alice: Person, watcher: Watcher, keeper: Keeper, push: Callable[..., None]
) -> None:
    mutes = {"matchers": [{"label": "kind", "value": "pod"}], "equal": ["node"]}
    make_rule(client, alice, name="node down", query='m{kind="node"}', inhibits=mutes)
    push(50.0, kind="node", node="n1")
    watcher.look()
    make_rule(client, alice, name="pod down", query='m{kind="pod"}')
    push(50.0, kind="pod", node="n1")
    push(50.0, kind="pod", node="n2")
    watcher.look()
    told = sorted(one["labels"]["node"] + one["labels"]["kind"] for one in keeper.events("alert.triggered"))
    assert told == ["n1node", "n2pod"]
    (muted,) = [one for one in alerts(client, alice) if one["told_at"] is None]
    assert story(client, alice, muted)[1] == "It was not told: While node down fires, it is muted."


def test_an_alert_is_acknowledged_and_resolved_by_hand(
    client: FlaskClient, alice: Person, watcher: Watcher, push: Callable[..., None]
) -> None:
    make_rule(client, alice)
    push(50.0)
    watcher.look()
    (alert,) = alerts(client, alice, acknowledged="false")
    path = f"/api/v1/alerts/{alert['id']}"
    seen = data_of(client.put(f"{path}/acknowledge", headers=alice.headers))
    assert seen["acknowledged_by"] == str(alice.user.id)
    assert alerts(client, alice, acknowledged="false") == []
    over = data_of(client.put(f"{path}/resolve", headers=alice.headers))
    assert (over["status"], over["resolved_by"]) == ("resolved", str(alice.user.id))
    assert error_of(client.put(f"{path}/resolve", headers=alice.headers), 409)["code"] == "INVALID_STATE"


def test_a_rule_that_goes_ends_its_alerts(
    client: FlaskClient, alice: Person, watcher: Watcher, keeper: Keeper, push: Callable[..., None]
) -> None:
    rule = make_rule(client, alice)
    push(50.0)
    watcher.look()
    assert client.delete(f"{RULES}/{rule['id']}", headers=alice.headers).status_code == 204
    watcher.tell()
    (alert,) = alerts(client, alice)
    assert (alert["status"], alert["rule_id"]) == ("resolved", None)
    assert len(keeper.events("alert.resolved")) == 1


def message(status: str, **labels: str) -> dict[str, Any]:
    one = {
        "status": status,
        "labels": {"alertname": "Down", "severity": "page", **labels},
        "annotations": {"summary": "It is down"},
        "startsAt": "2026-01-01T00:00:00.000Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "7f2c",
    }
    return {"version": "4", "groupKey": "{}", "receiver": "us", "status": status, "alerts": [one]}


def test_an_alertmanagers_alerts_are_taken_once_and_told_as_ours(
    client: FlaskClient, alice: Person, watcher: Watcher, keeper: Keeper
) -> None:
    def send(body: Any) -> Any:
        return data_of(client.post(INGEST, json=body, headers=alice.headers))

    assert send(message("firing", node="n1")) == {"received": 1, "fired": 1, "refreshed": 0, "resolved": 0}
    assert send(message("firing", node="n1"))["refreshed"] == 1
    watcher.tell()
    (alert,) = alerts(client, alice, source="alertmanager")
    assert (alert["name"], alert["severity"], alert["title"]) == ("Down", "critical", "It is down")
    assert story(client, alice, alert)[0] == ["fired", "grouped", "told"]
    assert send(message("resolved", node="n1"))["resolved"] == 1
    assert send(message("resolved", node="n1"))["resolved"] == 0
    watcher.tell()
    assert len(keeper.events("alert.triggered")) == len(keeper.events("alert.resolved")) == 1


def test_a_rule_is_tried_on_the_past_beside_the_one_that_it_would_replace(
    client: FlaskClient, alice: Person, keeper: Keeper
) -> None:
    start = 1767225600.0
    high = {10: 50.0, 11: 50.0, 12: 50.0, 30: 15.0, 31: 15.0}
    write(client, alice, series("m", [[start + 60 * at, high.get(at, 1.0)] for at in range(60)]))
    rule = make_rule(client, alice, interval_seconds=60)
    proposed = {"name": "less", "query": "m", "threshold": 20, "interval_seconds": 60}
    body = {"rule": proposed, "rule_id": rule["id"], "start": start, "end": start + 3600}
    asked = data_of(client.post(f"{RULES}/trials", json=body, headers=alice.headers), 202)
    keeper.drain()
    result = keeper.job(asked["job_id"]).result
    assert result is not None
    assert (result["fired"], result["compared"]["fired"]) == (1, 2)
    assert {name: result["compared"][name] for name in ("same", "new", "gone")} == {"same": 1, "new": 0, "gone": 1}
    assert result["episodes"][0]["fired_at"] == "2026-01-01T00:10:00.000Z"
    assert result["compared"]["gone_episodes"][0]["fired_at"] == "2026-01-01T00:30:00.000Z"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"query": "rate(m)"}, "query"),
        ({"kind": "anomaly", "query": "sum(m)"}, "query"),
        ({"operator": "~"}, "operator"),
        ({"interval_seconds": 1}, "interval_seconds"),
        ({"labels": {"x y": "z"}}, "labels"),
        ({"inhibits": {"matchers": [{"label": "a", "operator": "=~", "value": ".*"}]}}, "inhibits.matchers"),
        ({"routes": [{"kind": "pigeon", "to": "roof"}]}, "routes.0.kind"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(client: FlaskClient, alice: Person, changed: Any, field: str) -> None:
    body = {"name": "much", "query": "m", **changed}
    error = error_of(client.post(RULES, json=body, headers=alice.headers), 422)
    assert error["errors"][0]["field"].startswith(field)


def test_a_rule_that_cannot_be_worked_out_says_why(
    client: FlaskClient, alice: Person, watcher: Watcher, monkeypatch: pytest.MonkeyPatch, push: Callable[..., None]
) -> None:
    from app.monitoring import reading

    rule = make_rule(client, alice)
    push(50.0)
    monkeypatch.setattr(reading, "MOST_READ", 0)
    watcher.look()
    assert "more than 0 samples" in get(client, alice, f"/alert-rules/{rule['id']}")["error"]


def test_rules_alerts_and_silences_of_others_do_not_exist(
    client: FlaskClient, alice: Person, charlie: Person, watcher: Watcher, push: Callable[..., None]
) -> None:
    rule = make_rule(client, alice)
    push(50.0)
    watcher.look()
    (alert,) = alerts(client, alice)
    for path in (f"{RULES}/{rule['id']}", f"/api/v1/alerts/{alert['id']}"):
        error_of(client.get(path, headers=charlie.headers), 404)
    error_of(client.put(f"/api/v1/alerts/{alert['id']}/resolve", headers=charlie.headers), 404)
    assert alerts(client, charlie) == get(client, charlie, "/alert-rules") == []
