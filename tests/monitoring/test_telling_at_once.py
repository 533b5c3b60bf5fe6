"""Telling while others change the same alerts, or write in the same rooms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text, update

from app.factory import create_app
from app.kernel.clock import database_now
from app.kernel.db import Database
from app.monitoring import tell_due
from app.monitoring.alerting import groups
from app.monitoring.models import RULE, Alert, AlertGroup, AlertRule
from config.settings import Settings
from tests.monitoring.test_alerts import INGEST, alerts, make_rule, message
from tests.support.clients import make_client, make_user
from tests.support.committing import committing_database
from tests.support.identity import data_of, make_person
from tests.support.rooms import listed, make_room


@pytest.fixture
def committing(settings: Settings) -> Iterator[Database]:
    with committing_database(settings) as database:
        yield database


@pytest.fixture
def busy(settings: Settings, hints: Any, committing: Database) -> Flask:
    app = create_app(replace(settings, rate_limits=False), sender=hints, database=committing)
    app.testing = True
    return app


def give_rule(database: Database) -> None:
    """Make the one alert that of the one rule, and due."""
    with database.transaction() as session:
        alert, rule = session.scalars(select(Alert)).one(), session.scalars(select(AlertRule)).one()
        alert.rule_id, alert.source = rule.id, RULE
        groups.join_group(session, alert, rule, session.execute(select(database_now())).scalar_one())
        session.execute(update(AlertGroup).where(AlertGroup.rule_id.is_(None)).values(due_at=None))


@pytest.mark.parametrize("held", ["alerts", "room_states"])
def test_what_others_hold_is_told_soon_and_keeps_nobody_waiting(
    busy: Flask, committing: Database, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    monkeypatch.setattr(groups, "LONGEST_WAIT", "100ms")
    client, alice = busy.test_client(), make_person(busy, committing, "alice")
    ann = make_user(client, make_client(client), permissions=["manage_rooms", "read_messages"])
    room = make_room(client, ann, alerts_from=[str(alice.organization_id)])
    make_rule(client, alice, routes=[{"kind": "room", "to": room}])
    data_of(client.post(INGEST, json=message("firing"), headers=alice.headers))
    give_rule(committing)
    with committing.transaction() as holding:
        holding.execute(text(f"SELECT 1 FROM {held} FOR UPDATE"))
        with committing.transaction() as session:
            assert tell_due(session)
        # Whoever holds an alert may want its group next.
        holding.execute(text("SELECT 1 FROM alert_groups FOR UPDATE NOWAIT"))
        due = holding.scalars(select(AlertGroup.due_at).where(AlertGroup.rule_id.is_not(None))).one()
        assert due is not None
        assert (due - holding.execute(select(database_now())).scalar_one()).total_seconds() < 60
        assert listed(client, ann, room) == []
    with committing.transaction() as session:
        session.execute(update(AlertGroup).where(AlertGroup.rule_id.is_not(None)).values(due_at=database_now()))
    for is_due in (True, False):
        with committing.transaction() as session:
            assert tell_due(session) is is_due
    assert len(listed(client, ann, room)) == 1
    assert alerts(client, alice)[0]["told_at"] is not None
