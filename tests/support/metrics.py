"""Series, written and scanned as clients do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import cramjam
from flask.testing import FlaskClient

from app.kernel.clock import utc_now
from app.kernel.db import Database
from app.monitoring.models import Alert
from app.monitoring.remote_write import TimeSeries
from app.sre.models import Anomaly
from tests.support.clusters import Keeper
from tests.support.identity import Person, data_of

WRITE = "/api/v1/metrics/write"
SCANS = "/api/v1/sre/scans"
ANOMALIES = "/api/v1/sre/anomalies"

Pairs = Sequence[Sequence[float]]


def series(name: str, points: Pairs, **labels: str) -> dict[str, Any]:
    """Return a series as it is pushed."""
    return {"name": name, "points": points, **({"labels": labels} if labels else {})}


def write(client: FlaskClient, person: Person, *given: dict[str, Any], **place: Any) -> Any:
    """Write series; returns what became of their samples."""
    return data_of(client.post(WRITE, json={"series": given, **place}, headers=person.headers))


def remote_write(given: Iterable[tuple[dict[str, str], Pairs]]) -> bytes:
    """Return a body of remote write; times are milliseconds."""
    request = b""
    for labels, samples in given:
        one = TimeSeries()
        for name in sorted(labels):
            one.labels.add(name=name, value=labels[name])
        for at, value in samples:
            one.samples.add(timestamp=int(at), value=value)
        request += message(one.SerializeToString())
    return packed(request)


def message(content: bytes, field: int = 1) -> bytes:
    """Return a message as a field of another."""
    size, length = b"", len(content)
    while length >= 0x80:
        size, length = size + bytes([length & 0x7F | 0x80]), length >> 7
    return bytes([field << 3 | 2]) + size + bytes([length]) + content


def packed(request: bytes) -> bytes:
    """Return a body as Prometheus packs it."""
    return bytes(cramjam.snappy.compress_raw(request))


def get(client: FlaskClient, person: Person, path: str, **query: Any) -> Any:
    """Return the data of a reading."""
    return data_of(client.get(f"/api/v1{path}", query_string=query, headers=person.headers))


def scan(client: FlaskClient, person: Person, keeper: Keeper, **body: Any) -> Any:
    """Ask for a scan, have it done, and return it."""
    asked = data_of(client.post(SCANS, json=body, headers=person.headers), 202)
    keeper.drain()
    assert keeper.job(asked["job_id"]).status == "succeeded", keeper.job(asked["job_id"]).error
    return get(client, person, f"/sre/scans/{asked['id']}")


def make_anomaly(database: Database, organization_id: UUID, scan_id: UUID) -> Anomaly:
    """Make an anomaly as a scan would have found it."""
    now = utc_now()
    numbers = {"peak": 9.0, "score": 3.0, "low": 1.0, "high": 2.0}
    anomaly = Anomaly(organization_id=organization_id, scan_id=scan_id, series="world", severity="warning", **numbers)
    anomaly.start, anomaly.end, anomaly.detected_at, anomaly.reason, anomaly.is_open = now, now, now, "high", False
    with database.transaction() as session:
        session.add(anomaly)
        session.flush()
    return anomaly


def make_alert(database: Database, organization_id: UUID, name: str = "world", **fields: Any) -> Alert:
    """Make an alert as a rule that is gone would have fired it; `fields` are set on its row."""
    now = utc_now()
    said: dict[str, Any] = {"source": "rule", "name": name, "severity": "warning", "title": name, "description": ""}
    said |= {"status": "firing", "labels": {}, "fingerprint": name.encode(), **fields}
    alert = Alert(organization_id=organization_id, **said)
    alert.pending_at = alert.violated_at = alert.fired_at = now
    with database.transaction() as session:
        session.add(alert)
        session.flush()
    return alert
