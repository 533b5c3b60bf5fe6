"""A problem's life: opened, joined, resolved, back, and what people do with it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.clusters import Access
from app.kernel.clock import database_now, sql_days
from app.kernel.db import Database
from app.monitoring import Place
from app.sre import close_old, forget_problems, forget_steps
from app.sre.facts import KINDS, Thing
from app.sre.models import Problem
from app.sre.problems import rows, timeline
from app.sre.problems.signals import Signal
from tests.support.clusters import Keeper, register
from tests.support.identity import Person, data_of, error_of, join
from tests.support.metrics import get
from tests.support.problems import alert, anomaly, fact, look, make_problem, minutes

PROBLEMS = "/api/v1/sre/problems"
NODE = Thing("Node", "", "n1")
WEB = Thing("Deployment", "shop", "web")
CRASH = fact("CrashLoopBackOff", WEB)


@pytest.fixture
def place(client: FlaskClient, alice: Person) -> Place:
    made = register(client, alice, Access("https://kube.example.com", token="t"))
    return Place(alice.organization_id, None, UUID(made["id"]))


def only(client: FlaskClient, person: Person, **filters: Any) -> Any:
    (found,) = get(client, person, "/sre/problems", **filters)
    return found


def whole(client: FlaskClient, person: Person) -> Any:
    return get(client, person, f"/sre/problems/{only(client, person)['id']}")


def patch(client: FlaskClient, person: Person, problem_id: str, **body: Any) -> Any:
    return client.patch(f"{PROBLEMS}/{problem_id}", json=body, headers=person.headers)


def test_a_problem_is_opened_once_told_and_shown_with_all_that_speaks_for_it(
    client: FlaskClient, alice: Person, database: Database, place: Place, keeper: Keeper
) -> None:
    signals = [CRASH, alert("HighErrorRate", 2, WEB, severity="critical")]
    assert look(database, place, signals, 3)["opened"] == 1
    assert look(database, place, signals, 4)["opened"] == 0
    found = whole(client, alice)
    assert (found["status"], found["severity"], found["cluster_id"]) == ("open", "critical", str(place.cluster_id))
    assert found["title"] == found["cause"]["message"] == "CrashLoopBackOff of Deployment shop/web"
    assert found["cause"]["about"] == {"kind": "Deployment", "namespace": "shop", "name": "web"}
    (explained,) = found["cause"]["evidence"]["explains"]
    assert (explained["message"], explained["reason"]) == ("HighErrorRate", "it is of the same workload")
    assert [(one["kind"], one["explained_by"]) for one in found["signals"]] == [
        ("CrashLoopBackOff", None),
        ("HighErrorRate", CRASH.key),
    ]
    assert [one["step"] for one in found["timeline"]] == ["opened", "signal_began"]
    (told,) = keeper.events("problem.opened")
    assert (told["problem_id"], told["reopened"], told["cause"]["kind"]) == (found["id"], False, "CrashLoopBackOff")


def test_what_is_over_for_ten_minutes_is_resolved_and_what_comes_back_opens_it_again(
    client: FlaskClient, alice: Person, database: Database, place: Place, keeper: Keeper
) -> None:
    look(database, place, [CRASH], 0)
    assert look(database, place, [], 5)["resolved"] == 0
    assert look(database, place, [CRASH], 8)["reopened"] == 0
    look(database, place, [], 10)
    assert look(database, place, [], 21)["resolved"] == 1
    assert (only(client, alice)["status"], only(client, alice)["resolved_by"]) == ("resolved", None)
    (told,) = keeper.events("problem.resolved")
    assert (told["automatic"], told["merged_into"]) == (True, None)
    assert look(database, place, [CRASH], 40)["reopened"] == 1
    found = whole(client, alice)
    assert (found["status"], found["reopened"], found["resolved_at"]) == ("open", 1, None)
    assert [one["step"] for one in found["timeline"]][-2:] == ["signal_returned", "reopened"]
    assert [one["reopened"] for one in keeper.events("problem.opened")] == [False, True]
    look(database, place, [], 45)
    look(database, place, [], 60)
    assert look(database, place, [CRASH], 400)["opened"] == 1


def test_a_cause_that_is_seen_later_takes_over_and_joins_what_was_apart(
    client: FlaskClient, alice: Person, database: Database, place: Place, keeper: Keeper
) -> None:
    first = alert("ServiceDown", 0, WEB, NODE)
    second = alert("LedgerDown", 1, Thing("Deployment", "bank", "ledger"), NODE)
    assert look(database, place, [first, second], 2)["opened"] == 2
    lost = fact("NodeNotReady", NODE, 1, severity="critical")
    assert look(database, place, [first, second, lost], 3)["merged"] == 1
    found = only(client, alice, status="open")
    assert (found["cause"]["kind"], found["cause"]["explained"], found["severity"]) == ("NodeNotReady", 2, "critical")
    joined = only(client, alice, status="closed")
    assert joined["merged_into"] == found["id"]
    steps = {one["step"] for one in get(client, alice, f"/sre/problems/{found['id']}")["timeline"]}
    assert {"merged", "cause_changed", "severity_changed", "signal_began"} <= steps
    assert [one["merged_into"] for one in keeper.events("problem.resolved")] == [found["id"]]
    assert look(database, place, [first, second, lost], 4)["opened"] == 0


def test_facts_of_what_was_not_seen_stay_as_they_were(
    client: FlaskClient, alice: Person, database: Database, place: Place
) -> None:
    look(database, place, [CRASH], 0)
    unseen = [kind for kind in KINDS if kind != "CrashLoopBackOff"]
    for at in (5, 60, 300):
        look(database, place, [], at, unseen)
    assert only(client, alice)["status"] == "open"


@pytest.mark.parametrize(
    "signals",
    [
        [alert("InfoInhibitor", 0, WEB, severity="info", opens=False)],
        [anomaly("latency", 0, WEB), anomaly("errors", 0, WEB)],
        [],
    ],
)
def test_too_little_is_no_problem(
    client: FlaskClient, alice: Person, database: Database, place: Place, signals: list[Signal]
) -> None:
    look(database, place, signals, 1)
    assert get(client, alice, "/sre/problems") == []


def test_people_move_it_on_give_it_away_and_note_what_they_find(
    client: FlaskClient, alice: Person, charlie: Person, database: Database, place: Place, keeper: Keeper
) -> None:
    look(database, place, [CRASH], 0)
    problem_id = only(client, alice)["id"]
    mine = str(alice.user.id)
    moved = data_of(patch(client, alice, problem_id, status="investigating", assignee_id=mine, note="a bad release?"))
    assert (moved["status"], moved["assignee_id"]) == ("investigating", mine)
    assert only(client, alice, assignee_id=mine)["id"] == problem_id
    refused = error_of(patch(client, alice, problem_id, assignee_id=str(charlie.user.id)), 422)
    assert refused["errors"][0]["field"] == "assignee_id"
    assert error_of(patch(client, alice, problem_id, status="closed"), 409)["code"] == "INVALID_STATE"
    assert data_of(patch(client, alice, problem_id, status="resolved"))["resolved_by"] == mine
    assert data_of(patch(client, alice, problem_id, status="open"))["reopened"] == 1
    data_of(patch(client, alice, problem_id, status="resolved", assignee_id=None))
    assert data_of(patch(client, alice, problem_id, status="closed"))["closed_at"]
    for status in ("open", "investigating", "resolved"):
        error_of(patch(client, alice, problem_id, status=status), 409)
    steps = [one["step"] for one in whole(client, alice)["timeline"]]
    assert steps == [
        "opened",
        "assigned",
        "status_changed",
        "noted",
        "resolved",
        "reopened",
        "assigned",
        "resolved",
        "closed",
    ]
    assert len(keeper.events("problem.resolved")) == 2


def test_who_says_that_it_is_over_is_believed_for_a_quarter_of_an_hour(
    client: FlaskClient, alice: Person, database: Database, place: Place
) -> None:
    look(database, place, [CRASH], 0)
    patch(client, alice, only(client, alice)["id"], status="resolved")
    assert look(database, place, [CRASH], 5)["reopened"] == 0
    assert look(database, place, [CRASH], 60)["reopened"] == 1
    assert get(client, alice, "/sre/problems", status="open")[0]["reopened"] == 1


def test_what_was_closed_while_it_lasts_opens_nothing_until_it_is_there_anew(
    client: FlaskClient, alice: Person, database: Database, place: Place
) -> None:
    look(database, place, [CRASH], 0)
    problem_id = only(client, alice)["id"]
    for status in ("resolved", "closed"):
        patch(client, alice, problem_id, status=status)
    assert look(database, place, [CRASH], 60)["opened"] == 0
    look(database, place, [], 70)
    assert look(database, place, [CRASH], 80)["opened"] == 1


def test_problems_of_others_do_not_exist_and_who_only_reads_changes_nothing(
    client: FlaskClient, alice: Person, charlie: Person, database: Database
) -> None:
    problem_id = str(make_problem(database, alice.organization_id).id)
    error_of(client.get(f"{PROBLEMS}/{problem_id}", headers=charlie.headers), 404)
    error_of(patch(client, charlie, problem_id, status="resolved"), 404)
    assert get(client, charlie, "/sre/problems") == []
    join(database, charlie, alice.organization_id, "viewer")
    assert only(client, charlie)["id"] == problem_id
    error_of(patch(client, charlie, problem_id, status="resolved"), 403)
    assert get(client, alice, "/sre/problems", severity="critical") == []
    assert get(client, alice, "/sre/problems", kind="OOMKilled") == []
    assert only(client, alice, kind="NodeNotReady", search="WOR", status="open")["id"] == problem_id


def test_what_a_place_says_anew_every_minute_has_an_end(
    client: FlaskClient, alice: Person, database: Database, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MOST_SIGNALS", 4)
    monkeypatch.setattr(rows, "MOST_PROBLEMS", 2)
    for at in range(8):
        look(database, place, [CRASH, alert(f"Alert{at}", at, WEB)], at)
    found = whole(client, alice)
    assert (found["status"], found["cause"]["kind"]) == ("open", "CrashLoopBackOff")
    assert [one["kind"] for one in found["signals"]] == ["CrashLoopBackOff", "Alert5", "Alert6", "Alert7"]
    others = [alert(f"Elsewhere{at}", 8, Thing("Deployment", f"place{at}", "x")) for at in range(3)]
    assert look(database, place, [CRASH, *others], 8)["opened"] == 0
    monkeypatch.setattr(rows, "MOST_SIGNALS", 9)
    assert look(database, place, [CRASH, *others], 9)["opened"] == 1


def test_of_a_timeline_the_newest_steps_are_kept(
    alice: Person, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "MOST", 3)
    problem, other = (make_problem(database, alice.organization_id) for _ in range(2))
    with database.transaction() as session:
        for number in range(5):
            timeline.note(session, problem, timeline.NOTED, text=str(number))
        timeline.note(session, other, timeline.NOTED, text="other")
        session.flush()
        assert (forget_steps(session), forget_steps(session)) == (2, 0)
        assert [one.detail["text"] for one in timeline.read_timeline(session, problem.id)] == ["2", "3", "4"]
        assert len(timeline.read_timeline(session, other.id)) == 1


def test_what_is_over_for_a_week_is_closed_and_forgotten_later(alice: Person, database: Database) -> None:
    over = make_problem(database, alice.organization_id, status="resolved", resolved_at=minutes(0) - timedelta(days=8))
    make_problem(database, alice.organization_id, status="resolved", resolved_at=minutes(0))
    with database.transaction() as session:
        assert (close_old(session), close_old(session), forget_problems(session, 30)) == (1, 0, 0)
        session.execute(update(Problem).where(Problem.id == over.id).values(closed_at=database_now() - sql_days(31)))
        assert forget_problems(session, 30) == 1
        assert len(session.scalars(select(Problem)).all()) == 1
