"""Samples come in: what is taken, what is passed over, and what is refused."""

from __future__ import annotations

from typing import Any

import cramjam
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.kernel.db import Database
from app.monitoring import points, writing
from app.monitoring.models import MetricChunk, MetricRollup
from tests.support.clusters import Keeper
from tests.support.identity import Person, data_of, error_of
from tests.support.metrics import WRITE, get, message, packed, remote_write, series, write

START = 1767225600.0
PROTOBUF = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}


def points_of(client: FlaskClient, person: Person, name: str, **query: Any) -> Any:
    asked = {"name": name, "start": START - 86_400, "end": START + 86_400, "resolution": "raw", **query}
    shown = get(client, person, "/metrics/timeseries", **asked)
    return [line["points"] for line in shown["series"]]


def test_what_is_written_is_read_again(client: FlaskClient, alice: Person) -> None:
    told = write(
        client,
        alice,
        series("cpu_usage", [[START, 1.5], [START + 60, 2]], pod="web", node="n1"),
        series("cpu_usage", [[START, 7]], pod="db"),
    )
    assert told == {"accepted": 3, "late": 0, "duplicates": 0, "new_series": 2, "rejected": {}}
    assert points_of(client, alice, "cpu_usage", labels="pod=web") == [[[START, 1.5], [START + 60, 2.0]]]
    assert points_of(client, alice, "cpu_usage") == [[[START, 1.5], [START + 60, 2.0]], [[START, 7.0]]]
    listed = get(client, alice, "/metrics/series", name="cpu_usage")
    assert [one["series"] for one in listed] == ['cpu_usage{node="n1",pod="web"}', 'cpu_usage{pod="db"}']
    assert (listed[0]["samples"], listed[0]["newest_at"]) == (2, "2026-01-01T00:01:00.000Z")


def test_late_samples_are_put_in_their_place_and_duplicates_change_nothing(client: FlaskClient, alice: Person) -> None:
    write(client, alice, series("m", [[START, 1], [START + 120, 3]]))
    told = write(client, alice, series("m", [[START + 60, 2], [START + 120, 99], [START + 180, 4]]))
    assert (told["accepted"], told["late"], told["duplicates"]) == (2, 1, 1)
    told = write(client, alice, series("m", [[START + 180, 5], [START, 0], [START + 60, 0]]))
    assert (told["accepted"], told["late"], told["duplicates"]) == (0, 0, 3)
    assert points_of(client, alice, "m") == [[[START + 60 * at, at + 1.0] for at in range(4)]]


def test_many_series_may_be_late_together(client: FlaskClient, alice: Person) -> None:
    """Each in another way: between two samples, at one that is there already, and before all."""
    names = [f"late_{nth}" for nth in range(3)]
    write(client, alice, *(series(name, [[START, 1], [START + 120, 3]]) for name in names))
    write(client, alice, *(series(name, [[START + 240, 5]]) for name in names))
    late = [[[START + 60, 2]], [[START + 120, 9], [START + 180, 4]], [[START - 60, 0], [START, 9]]]
    told = write(client, alice, *(series(name, points) for name, points in zip(names, late, strict=True)))
    assert (told["accepted"], told["late"], told["duplicates"]) == (3, 3, 2)
    first, second, third = (points_of(client, alice, name)[0] for name in names)
    there = [[START, 1.0], [START + 120, 3.0], [START + 240, 5.0]]
    assert first == sorted([*there, [START + 60, 2.0]])
    assert second == sorted([*there, [START + 180, 4.0]])
    assert third == sorted([*there, [START - 60, 0.0]])


def test_within_one_request_points_may_come_in_any_order_and_twice(client: FlaskClient, alice: Person) -> None:
    given = [[START + 60, 2], [START, 1], [START + 60, 9]]
    told = write(client, alice, series("m", given), series("m", [[START + 120, 3], [START, 8]]))
    assert (told["accepted"], told["duplicates"], told["new_series"]) == (3, 2, 1)
    assert points_of(client, alice, "m") == [[[START, 1], [START + 60, 2], [START + 120, 3]]]


def test_folding_changes_nothing_that_is_read(client: FlaskClient, alice: Person, keeper: Keeper) -> None:
    for begin in range(0, 7200, 900):
        write(client, alice, series("m", [[START + at, float(at % 70)] for at in range(begin, begin + 900, 15)]))
    before = [points_of(client, alice, "m", resolution=name) for name in ("raw", "1m", "5m", "1h", "1d")]
    assert [len(lines[0]) for lines in before] == [480, 120, 24, 2, 1]
    fold(keeper)
    assert count(keeper.database, MetricChunk) == 1
    assert count(keeper.database, MetricRollup) == 2
    assert [points_of(client, alice, "m", resolution=name) for name in ("raw", "1m", "5m", "1h", "1d")] == before
    write(client, alice, series("m", [[START + 7, 1000.0]]))
    assert points_of(client, alice, "m", resolution="5m", statistic="max")[0][0] == [START, 1000.0]
    fold(keeper)
    assert points_of(client, alice, "m", resolution="5m", statistic="max")[0][0] == [START, 1000.0]
    assert points_of(client, alice, "m", resolution="1h", statistic="count")[0] == [[START, 241.0], [START + 3600, 240]]


def fold(keeper: Keeper) -> None:
    from app import jobs
    from app.monitoring import FoldSamples

    with keeper.database.transaction() as session:
        jobs.accept(session, FoldSamples())
    keeper.drain()


def count(database: Database, model: type[Any]) -> int:
    with database.transaction() as session:
        return session.execute(select(func.count()).select_from(model)).scalar_one()


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({}, "series", "Missing data"),
        ({"series": []}, "series", "1 to 10000"),
        ({"series": [{"points": []}]}, "series.0.name", "Missing data"),
        ({"series": [{"name": "a\nb", "points": []}]}, "series.0.name", "control"),
        ({"series": [{"name": "a{b}", "points": []}]}, "series.0.name", "control"),
        ({"series": [{"name": "m", "points": [], "labels": {"x": "a\nb"}}]}, "series.0.labels", "control"),
        ({"series": [{"name": "m", "points": [], "labels": {"__name__": "b"}}]}, "series.0.labels", "name of a label"),
        ({"series": [{"name": "m", "points": [], "labels": {"x": 1}}]}, "series.0.labels", "text"),
        ({"series": [{"name": "m", "points": [[1, 2, 3]]}]}, "series.0.points", "[seconds, value]"),
        ({"series": [{"name": "m", "points": [[1, 2], [3]]}]}, "series.0.points", "[seconds, value]"),
        ({"series": [{"name": "m", "points": [[1, "2"]]}]}, "series.0.points", "texts"),
        ({"series": [{"name": "m", "points": [[1, None]]}]}, "series.0.points", "null"),
        ({"series": [{"name": "m", "points": [[1, 2]] * 1000 + [[1, "x" * 500_000]]}]}, "series.0.points", "texts"),
        ({"series": [{"name": "m", "points": ["ab", "cd"]}]}, "series.0.points", "texts"),
        ({"series": [{"name": "m", "points": [1, 2]}]}, "series.0.points", "[seconds, value]"),
        ({"series": [{"name": "m", "points": [[1, True]]}]}, "series.0.points", "texts"),
        ({"series": [{"name": "m", "points": [[1767225600000, 1.0]]}]}, "series.0.points", "2200"),
        ({"series": [{"name": "m", "points": [[-1, 1.0]]}]}, "series.0.points", "1970"),
        ({"series": [{"name": "m", "points": [], "unit": "s"}]}, "series.0.unit", "Unknown"),
        ({"series": [{"name": "m", "points": []}], "more": 1}, "more", "Unknown"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(
    client: FlaskClient, alice: Person, body: Any, field: str, said: str
) -> None:
    error = error_of(client.post(WRITE, json=body, headers=alice.headers), 422)
    assert error["errors"][0]["field"] == field
    assert said in error["errors"][0]["message"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_finite_number_is_refused(client: FlaskClient, alice: Person, number: str) -> None:
    body = f'{{"series": [{{"name": "m", "points": [[1767225600, {number}]]}}]}}'
    headers = alice.headers | {"Content-Type": "application/json"}
    assert client.post(WRITE, data=body, headers=headers).status_code in (400, 422)


def test_beyond_its_series_an_organization_is_refused_new_ones_and_the_rest_is_written(
    app: Flask, client: FlaskClient, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.extensions["headrace"], "metric_series", 2)
    write(client, alice, series("m", [[START, 1]], pod="a"), series("m", [[START, 1]], pod="b"))
    body = {"series": [series("m", [[START + 60, 2]], pod="a"), series("m", [[START, 1]], pod="c")]}
    error = error_of(client.post(WRITE, json=body, headers=alice.headers), 422)
    assert error["code"] == "QUOTA_EXCEEDED"
    assert (error["details"]["limit"], error["details"]["series"]) == (2, ['m{pod="c"}'])
    assert error["details"]["accepted"] == 1
    assert points_of(client, alice, "m") == [[[START, 1], [START + 60, 2]], [[START, 1]]]


def test_more_points_than_a_request_may_have_are_refused_with_the_limit(client: FlaskClient, alice: Person) -> None:
    body = b'{"series":[{"name":"m","points":[' + b",".join([b"[1,2]"] * 500_001) + b"]}]}"
    headers = alice.headers | {"Content-Type": "application/json"}
    error = error_of(client.post(WRITE, data=body, headers=headers), 413)
    assert error["details"] == {"limit": 500_000, "points": 500_001}


def test_prometheus_writes_in_its_own_form(client: FlaskClient, alice: Person) -> None:
    body = remote_write(
        [
            ({"__name__": "up", "job": "node"}, [(START * 1000, 1.0), (START * 1000 + 500, float("nan"))]),
            ({"__name__": "bad\nname"}, [(START * 1000, 1.0)]),
        ]
    )
    told = data_of(client.post(WRITE, data=body, headers=alice.headers | PROTOBUF))
    assert told == {"accepted": 1, "late": 0, "duplicates": 0, "new_series": 1, "rejected": {"value": 1, "labels": 1}}
    assert points_of(client, alice, "up", labels="job=node") == [[[START, 1.0]]]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not snappy at all",
        # It says that it unpacks to 4 bytes, and to a terabyte.
        b"\x04" + remote_write([({"__name__": "up"}, [(1, 1.0)])])[1:],
        b"\xff\xff\xff\xff\x0f" + remote_write([({"__name__": "up"}, [(1, 1.0)])])[1:],
        remote_write([({"__name__": "up"}, [(1, 1.0)])])[:-3],
    ],
)
def test_a_remote_write_that_lies_is_refused(client: FlaskClient, alice: Person, body: bytes) -> None:
    reply = client.post(WRITE, data=body, headers=alice.headers | PROTOBUF)
    assert reply.status_code in (400, 413) or (body == b"" and reply.status_code == 200)


@pytest.mark.parametrize(
    "request_",
    [
        message(b"") * 1_000_000,
        message(message(b"", field=2) * 600_000),
        message(b"", field=3) * 1_000_000,
        message(message(b"") * 9_000_000),
    ],
)
def test_a_small_body_of_many_empty_messages_is_refused_before_they_take_room(
    client: FlaskClient, alice: Person, request_: bytes
) -> None:
    reply = client.post(WRITE, data=packed(request_), headers=alice.headers | PROTOBUF)
    assert error_of(reply, 413)["code"] == "PAYLOAD_TOO_LARGE"


@pytest.mark.parametrize(
    "request_", [b"\x0a\x05ab", b"\x0a", b"\x0b\x00", b"\x0a" + b"\xff" * 11, b"\x0a\x01\xff", b"\x00" + b"\xff" * 12]
)
def test_what_is_no_message_is_refused(client: FlaskClient, alice: Person, request_: bytes) -> None:
    assert client.post(WRITE, data=packed(request_), headers=alice.headers | PROTOBUF).status_code == 400


def test_fields_that_nobody_reads_are_passed_over(client: FlaskClient, alice: Person) -> None:
    others = message(b"metadata", field=3) + b"\x20\x05" + b"\x29" + b"8 bytes." + b"\x35" + b"4 by"
    known = cramjam.snappy.decompress_raw(remote_write([({"__name__": "up"}, [(START * 1000, 1.0)])]))
    told = data_of(client.post(WRITE, data=packed(others + bytes(known)), headers=alice.headers | PROTOBUF))
    assert told["accepted"] == 1


def test_a_late_sample_reads_what_lies_about_it_and_no_more(
    client: FlaskClient, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for begin in range(0, 1000, 100):
        write(client, alice, series("m", [[START + begin + at, 1] for at in range(0, 100, 10)]))
    unpacked: list[bytes] = []
    monkeypatch.setattr(writing, "unpack", lambda data: unpacked.append(data) or points.unpack(data))
    told = write(client, alice, series("m", [[START + 5, 2], [START + 10, 2], [START + 905, 2]]))
    assert (told["accepted"], told["late"], told["duplicates"], len(unpacked)) == (2, 2, 1, 2)


def test_the_second_version_of_remote_write_is_refused_as_one_that_is_not_read(
    client: FlaskClient, alice: Person
) -> None:
    headers = alice.headers | {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}
    assert error_of(client.post(WRITE, data=b"x", headers=headers), 415)["code"] == "UNSUPPORTED_MEDIA_TYPE"


def test_series_of_another_organization_do_not_exist(client: FlaskClient, alice: Person, charlie: Person) -> None:
    write(client, alice, series("secret", [[START, 1]]))
    named = {"organization_id": str(alice.organization_id)}
    body = {"series": [series("secret", [[START + 60, 1]])], **named}
    assert error_of(client.post(WRITE, json=body, headers=charlie.headers), 404)["code"] == "RESOURCE_NOT_FOUND"
    assert get(client, charlie, "/metrics/series", **named) == []
    assert get(client, charlie, "/metrics/query", query="secret", time=START, **named)["result"] == []
    assert get(client, charlie, "/metrics/summary", **named)["series"] == 0
    write(client, charlie, series("secret", [[START, 9]]))
    assert points_of(client, alice, "secret") == [[[START, 1]]]
