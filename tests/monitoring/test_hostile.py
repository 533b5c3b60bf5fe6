"""Alerts that somebody made to stop those of all others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, update
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.kernel.db import Database
from app.kernel.errors import Permanent
from app.monitoring import tell_due
from app.monitoring.alerting import groups, story
from app.monitoring.alerting.evaluating import LONGEST_TEXT
from app.monitoring.models import AlertGroup
from tasks.monitoring.watch import look_at
from tests.monitoring.test_alerts import INGEST, SILENCES, Watcher, alerts, make_rule, message
from tests.support.identity import Person, data_of, error_of
from tests.support.metrics import get, series, write


class Running:
    """A run that nothing stops."""

    def __init__(self, database: Database) -> None:
        self.adding = database.transaction


def test_a_title_whose_labels_name_labels_does_not_grow(client: FlaskClient, alice: Person, database: Database) -> None:
    watcher = Watcher(database)
    make_rule(client, alice, title="{{a}} {{none}}", description="{{a}}" * 400)
    labels = {name: f"{{{{{chr(ord(name) + 1)}}}}}" * 200 for name in "abcdefgh"}
    write(client, alice, series("m", [[watcher.now, 50.0]], **labels))
    watcher.look()
    (alert,) = alerts(client, alice)
    assert alert["title"] == f"{labels['a']} {{{{none}}}}"
    assert len(alert["description"]) == LONGEST_TEXT


def test_of_a_story_without_end_its_beginning_and_its_end_are_told(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    data_of(client.post(INGEST, json=message("firing"), headers=alice.headers))
    (alert,) = alerts(client, alice)
    with database.transaction() as session:
        story.note_many(session, ((UUID(alert["id"]), story.TOLD, {"nth": nth}) for nth in range(1000)))
    told = get(client, alice, f"/alerts/{alert['id']}")["story"]
    assert (told[0]["step"], told[-1]["detail"]) == ("fired", {"nth": 999})
    assert len(told) == story.FIRST_STEPS + story.NEWEST_STEPS


def test_many_alerts_that_are_muted_are_looked_at_in_few_statements(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    one = message("firing")["alerts"][0]
    many = [{**one, "labels": {**one["labels"], "pod": f"{nth}"}} for nth in range(60)]
    data_of(client.post(INGEST, json={**message("firing"), "alerts": many}, headers=alice.headers))
    matchers = [{"label": "alertname", "value": "Down"}]
    span = {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2100-01-01T00:00:00Z"}
    data_of(client.post(SILENCES, json={"matchers": matchers, "comment": "known", **span}, headers=alice.headers), 201)
    said: list[str] = []
    event.listen(database.bind, "before_cursor_execute", lambda *told: said.append(told[2]))
    for _ in range(2):
        with database.transaction() as session:
            session.execute(update(AlertGroup).values(due_at=database_now()))
        with database.transaction() as session:
            assert tell_due(session)
    assert len(said) < 60
    told = get(client, alice, f"/alerts/{alerts(client, alice)[0]['id']}")
    assert [step["step"] for step in told["story"]] == ["fired", "grouped", "muted"]


def test_times_that_the_database_could_not_read_again_are_refused(client: FlaskClient, alice: Person) -> None:
    for said in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        body = message("firing")
        body["alerts"][0]["startsAt"] = said
        assert error_of(client.post(INGEST, json=body, headers=alice.headers), 422)["code"] == "VALIDATION_ERROR"


def test_an_alert_begins_and_ends_now_at_the_latest_and_keeps_so_much_text(client: FlaskClient, alice: Person) -> None:
    body = message("firing", node="n1")
    one = body["alerts"][0]
    one |= {"startsAt": "9000-01-01T00:00:00Z", "annotations": {"summary": "s" * 100_000}}
    data_of(client.post(INGEST, json=body, headers=alice.headers))
    one |= {"status": "resolved", "endsAt": "9000-01-01T00:00:00Z"}
    data_of(client.post(INGEST, json=body, headers=alice.headers))
    (alert,) = alerts(client, alice)
    assert len(alert["title"]) == LONGEST_TEXT
    assert {alert[name][:2] for name in ("pending_at", "fired_at", "resolved_at")} == {"20"}


def test_a_rule_that_cannot_be_worked_out_says_so_and_keeps_no_other_from_its_turn(
    client: FlaskClient, alice: Person, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = make_rule(client, alice)

    def fail(*_: Any) -> bool:
        raise ArithmeticError

    monkeypatch.setitem(look_at.__globals__, "evaluate_rule", fail)
    run: Any = Running(database)
    assert look_at(run, UUID(rule["id"])) is False
    assert "could not be worked out" in get(client, alice, f"/alert-rules/{rule['id']}")["error"]

    @contextmanager
    def lost() -> Iterator[Session]:
        raise Permanent
        yield

    run.adding = lost
    with pytest.raises(Permanent):
        look_at(run, UUID(rule["id"]))


def test_a_group_that_cannot_be_told_keeps_no_other_from_being_told(
    client: FlaskClient, alice: Person, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bad", "good"):
        body = message("firing", alertname=name)
        data_of(client.post(INGEST, json=body, headers=alice.headers))
    tell = groups._tell

    def tell_most(session: Session, group: AlertGroup, *more: Any) -> None:
        tell(session, group, *more)
        if group.labels["alertname"] == "bad":
            raise ArithmeticError

    monkeypatch.setattr(groups, "_tell", tell_most)
    with database.transaction() as session:
        session.execute(update(AlertGroup).values(due_at=database_now()))
    for is_due in (True, True, False):
        with database.transaction() as session:
            assert tell_due(session) is is_due
    assert {one["name"]: one["told_at"] is not None for one in alerts(client, alice)} == {"bad": False, "good": True}
