"""Scans: series that are given, stored ones in slices, and two at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.kernel.db import Database
from app.sre import Scan, judge_part, keep_judged, read_parts
from app.sre.models import SeriesState
from tests.support.clusters import Keeper
from tests.support.identity import Person, data_of, error_of
from tests.support.metrics import ANOMALIES, SCANS, get, scan, series, write

START = 1767225600
STEP = 300
DAYS = 5
FAULT = START + 4 * 86_400 + 36_000


def quiet(seed: int = 1) -> list[list[float]]:
    """Five days of a daily wave with noise."""
    times = np.arange(START, START + DAYS * 86_400, STEP)
    wave = 100 + 30 * np.sin(times / 86_400 * 2 * np.pi) + np.random.default_rng(seed).normal(0, 2, len(times))
    return [[float(at), float(value)] for at, value in zip(times, wave, strict=True)]


def broken() -> list[list[float]]:
    """The same with an hour, on the fifth day, in which it is five times as high."""
    return [[at, value * 5 if FAULT <= at < FAULT + 3600 else value] for at, value in quiet()]


def given(name: str, points: list[list[float]]) -> dict[str, Any]:
    return {"name": name, "timestamps": [at for at, _ in points], "values": [value for _, value in points]}


def scores(client: FlaskClient, person: Person, scan_id: str, **query: Any) -> list[list[float]]:
    found: list[list[float]] = get(client, person, f"/sre/scans/{scan_id}/scores", **query)
    return found


def worst(client: FlaskClient, person: Person, **filters: Any) -> dict[str, Any]:
    """Return the anomaly with the highest score."""
    found: list[dict[str, Any]] = get(client, person, "/sre/anomalies", sort="-score", **filters)
    return found[0]


@pytest.fixture
def stored(client: FlaskClient, alice: Person) -> list[list[float]]:
    """A series with a fault, written whole."""
    points = broken()
    write(client, alice, series("latency", points, pod="web"))
    return points


def test_a_fault_in_a_series_that_is_given_is_found(client: FlaskClient, alice: Person, keeper: Keeper) -> None:
    points = broken()
    made = scan(client, alice, keeper, series=[given("latency", points), given("calm", quiet(2))])
    assert (made["status"], made["source"], made["series"]) == ("succeeded", "given", 2)
    assert made["points"] == 2 * len(points)
    found = worst(client, alice, scan_id=made["id"])
    assert found["series"] == "latency"
    assert "2026-01-05T10:00:00.000Z" <= found["start"] <= found["detected_at"] <= found["end"]
    assert found["detected_at"] <= "2026-01-05T11:00:00.000Z"
    assert found["peak"] > 300 > found["expected"]["high"] > found["expected"]["low"]
    assert found["severity"] in ("warning", "critical")
    assert found["reason"]
    told = scores(client, alice, made["id"], series="latency")
    assert [at for at, _ in told] == [at for at, _ in points]
    assert min(score for _, score in told) >= 0
    assert max(told, key=lambda pair: pair[1])[1] == pytest.approx(found["score"])
    part = scores(client, alice, made["id"], series="latency", **{"from": FAULT, "to": "2026-01-05T11:00:00Z"})
    assert [at for at, _ in part] == [FAULT + STEP * at for at in range(13)]
    told_of = {event["anomaly_id"]: event for event in keeper.events("anomaly.detected")}
    assert len(told_of) == made["anomalies"]
    assert (told_of[found["id"]]["series"], told_of[found["id"]]["start"]) == ("latency", found["start"])


@pytest.mark.usefixtures("stored")
def test_slices_score_as_the_whole_does_and_each_judges_what_came_since(
    client: FlaskClient, alice: Person, keeper: Keeper
) -> None:
    whole = scan(client, alice, keeper, series=[given("latency", broken())])
    once = scores(client, alice, whole["id"])
    sliced: list[list[float]] = []
    for until in [START + day * 86_400 for day in range(1, 5)] + [FAULT + 1200, FAULT + 86_400]:
        made = scan(client, alice, keeper, series=["latency"], until=until)
        told = scores(client, alice, made["id"], series="latency")
        assert all(at <= until for at, _ in told)
        sliced += told
        found = get(client, alice, "/sre/anomalies", scan_id=made["id"])
        assert all(moment(one["detected_at"]) <= until for one in found)
    assert sliced == once
    anomaly = worst(client, alice, series='latency{pod="web"}')
    of_whole = worst(client, alice, scan_id=whole["id"])
    same = ("start", "end", "detected_at", "peak", "score", "severity", "expected")
    assert {name: anomaly[name] for name in same} == {name: of_whole[name] for name in same}
    both = get(client, alice, "/sre/anomalies", series="latency", limit=100)
    assert len({one["id"] for one in both}) == len(keeper.events("anomaly.detected")) == 2 * whole["anomalies"]


def moment(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


@pytest.mark.usefixtures("stored")
def test_what_was_judged_is_not_judged_again_nor_what_comes_late(
    client: FlaskClient, alice: Person, keeper: Keeper
) -> None:
    until = START + 2 * 86_400
    assert scan(client, alice, keeper, series=["latency"], until=until)["points"] == 2 * 288 + 1
    assert scan(client, alice, keeper, series=["latency"], until=until)["points"] == 0
    write(client, alice, series("latency", [[until - 10, 1e9], [until + 10, 100.0]], pod="web"))
    assert scan(client, alice, keeper, series=["latency"], until=until + 600)["points"] == 3


@pytest.mark.usefixtures("stored")
def test_of_two_scans_at_once_one_judges_and_the_other_finds_nothing_left(
    client: FlaskClient, alice: Person, keeper: Keeper, database: Database
) -> None:
    asked = [
        data_of(client.post(SCANS, json={"series": ["latency"]}, headers=alice.headers), 202)["id"] for _ in range(2)
    ]
    with database.transaction() as session:
        first, second = (session.get_one(Scan, UUID(one)) for one in asked)
        mine, others = read_parts(session, first, [0]), read_parts(session, second, [0])
    with database.transaction() as session:
        assert keep_judged(session, first, [judge_part(mine[0])]) == []
        assert keep_judged(session, second, [judge_part(others[0])]) == [0]
    keeper.drain()
    assert len(scores(client, alice, asked[0])) == DAYS * 288
    assert scores(client, alice, asked[1]) == []
    found = get(client, alice, "/sre/anomalies", series="latency", limit=100)
    assert {one["scan_id"] for one in found} == {asked[0]}
    with database.transaction() as session:
        assert session.scalars(select(SeriesState.version)).all() == [1]


def test_what_is_awkward_is_judged_all_the_same(client: FlaskClient, alice: Person, keeper: Keeper) -> None:
    flat = [[at, 7.0] for at, _ in quiet()]
    gaps = [pair for pair in quiet(3) if not START + 3 * 86_400 <= pair[0] < START + 3 * 86_400 + 7200]
    twice = [pair for pair in quiet(4) for _ in range(2)]
    backwards = quiet(5)[::-1]
    one = [[float(START), 1.0]]
    awkward = {"flat": flat, "gaps": gaps, "twice": twice, "backwards": backwards, "one": one, "none": []}
    made = scan(client, alice, keeper, series=[given(name, points) for name, points in awkward.items()])
    assert get(client, alice, "/sre/anomalies", scan_id=made["id"], series="flat") == []
    told = {name: scores(client, alice, made["id"], series=name) for name in awkward}
    assert {name: len(some) for name, some in told.items()} == {
        "flat": 1440,
        "gaps": 1416,
        "twice": 1440,
        "backwards": 1440,
        "one": 1,
        "none": 0,
    }
    assert [at for at, _ in told["backwards"]] == sorted(at for at, _ in backwards)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "series"),
        ({"series": []}, "series"),
        ({"series": "cpu"}, "series"),
        ({"series": ["nowhere"]}, "series.0"),
        ({"series": ["cpu", given("cpu", [])]}, "series.0"),
        ({"series": [given("cpu", []), given("cpu", [])]}, "series.1.name"),
        ({"series": [{"name": "cpu", "timestamps": [1, 2], "values": [1]}]}, "series.0.values"),
        ({"series": [{"name": "cpu", "timestamps": [1], "values": [None]}]}, "series.0.values"),
        ({"series": [{"name": "cpu", "timestamps": ["1"], "values": [1]}]}, "series.0.timestamps"),
        ({"series": [{"name": "cpu", "timestamps": [[1]], "values": [1]}]}, "series.0.timestamps"),
        ({"series": [{"name": "cpu", "timestamps": [1]}]}, "series.0.values"),
        ({"series": [given("cpu", [])], "until": 5}, "until"),
        ({"series": [given("cpu", [])], "until": "soon"}, "until"),
    ],
)
def test_what_cannot_be_scanned_is_refused_with_its_place(
    client: FlaskClient, alice: Person, body: Any, field: str
) -> None:
    error = error_of(client.post(SCANS, json=body, headers=alice.headers), 422)
    assert error["errors"][0]["field"] == field


def test_ten_million_points_are_refused_with_the_limit(client: FlaskClient, alice: Person) -> None:
    many = b",".join([b"1"] * 600_000)
    body = b'{"series":[{"name":"m","timestamps":[' + many + b'],"values":[' + many + b"]}]}"
    headers = alice.headers | {"Content-Type": "application/json"}
    error = error_of(client.post(SCANS, data=body, headers=headers), 413)
    assert error["details"] == {"limit": 500_000, "points": 600_000}
    error = error_of(client.post(SCANS, data=b" " * (33 * 1024 * 1024), headers=headers), 413)
    assert error["code"] == "PAYLOAD_TOO_LARGE"


def test_scores_need_the_name_where_a_scan_has_several(client: FlaskClient, alice: Person, keeper: Keeper) -> None:
    write(client, alice, series("m", [[START, 1]], pod="a"), series("m", [[START, 1]], pod="b"))
    made = scan(client, alice, keeper, series=["m"])
    path = f"{SCANS}/{made['id']}/scores"
    assert error_of(client.get(path, headers=alice.headers), 422)["errors"][0]["field"] == "series"
    assert error_of(client.get(f"{path}?series=m", headers=alice.headers), 422)["errors"][0]["field"] == "series"
    assert scores(client, alice, made["id"], series='m{pod="a"}') == [[START, 0.0]]
    assert error_of(client.get(f"{path}?series=x", headers=alice.headers), 404)["code"] == "RESOURCE_NOT_FOUND"


def test_scans_and_anomalies_of_others_do_not_exist(
    client: FlaskClient, alice: Person, charlie: Person, keeper: Keeper
) -> None:
    made = scan(client, alice, keeper, series=[given("latency", broken())])
    found = worst(client, alice, scan_id=made["id"])
    for path in (f"{SCANS}/{made['id']}", f"{SCANS}/{made['id']}/scores", f"{ANOMALIES}/{found['id']}"):
        assert error_of(client.get(path, headers=charlie.headers), 404)["code"] == "RESOURCE_NOT_FOUND"
    assert get(client, charlie, "/sre/anomalies", scan_id=made["id"]) == []
    body = {"series": ["latency"], "organization_id": str(alice.organization_id)}
    error_of(client.post(SCANS, json=body, headers=charlie.headers), 404)


def test_an_anomaly_is_acknowledged_once(client: FlaskClient, alice: Person, keeper: Keeper) -> None:
    made = scan(client, alice, keeper, series=[given("latency", broken())])
    found = worst(client, alice, scan_id=made["id"])
    of_scan = {"scan_id": made["id"], "acknowledged": "false", "limit": 100}
    before = get(client, alice, "/sre/anomalies", **of_scan)
    path = f"{ANOMALIES}/{found['id']}/acknowledge"
    seen = data_of(client.put(path, headers=alice.headers))
    assert (seen["acknowledged_by"], seen["acknowledged_at"] is not None) == (str(alice.user.id), True)
    assert data_of(client.put(path, headers=alice.headers)) == seen
    assert len(get(client, alice, "/sre/anomalies", **of_scan)) == len(before) - 1


@pytest.mark.usefixtures("stored")
def test_a_state_that_an_older_version_wrote_is_begun_anew_and_told(
    client: FlaskClient, alice: Person, keeper: Keeper, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    until = START + 2 * 86_400
    scan(client, alice, keeper, series=["latency"], until=until)
    with database.transaction() as session:
        (row,) = session.scalars(select(SeriesState)).all()
        older = row.state = row.state[:8] + b"of another layout"
    made = scan(client, alice, keeper, series=["latency"])
    assert (made["status"], made["points"]) == ("succeeded", len(broken()) - 2 * 288 - 1)
    told = [one for one in caplog.records if one.message == "the state of a series cannot be read"]
    assert len(told) == 1
    with database.transaction() as session:
        (row,) = session.scalars(select(SeriesState)).all()
        assert row.state != older
    write(client, alice, series("latency", [[START + DAYS * 86_400, 100.0]], pod="web"))
    assert scan(client, alice, keeper, series=["latency"])["points"] == 1
    assert len([one for one in caplog.records if one.message == "the state of a series cannot be read"]) == 1
