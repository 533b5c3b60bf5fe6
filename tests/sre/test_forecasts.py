"""When disks, memory and quotas will be full."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from app.kernel.clock import utc_now
from tests.support.identity import Person, error_of
from tests.support.metrics import get, series, write

DAY = 86_400.0
GIB = 2.0**30


@pytest.fixture
def now() -> float:
    return utc_now().timestamp() // 3600 * 3600


@pytest.fixture
def filled(client: FlaskClient, alice: Person, now: float) -> None:
    """A week of hours: a disk that grows by 4 GiB a day, one that does not, a quota that is full, and memory."""
    times = now - np.arange(7 * 24)[::-1] * 3600.0

    def put(name: str, values: Any, **labels: str) -> dict[str, Any]:
        return series(name, np.column_stack((times, np.broadcast_to(values, times.shape))).tolist(), **labels)

    grows = 60 * GIB - 4 * GIB * (times - times[0]) / DAY
    given = [
        *(put("node_filesystem_size_bytes", 100 * GIB, mountpoint=mount, fstype="ext4") for mount in ("/", "/data")),
        put("node_filesystem_avail_bytes", grows, mountpoint="/data", fstype="ext4"),
        put("node_filesystem_avail_bytes", 50 * GIB, mountpoint="/", fstype="ext4"),
        *(put(f"node_filesystem_{name}_bytes", 1.0, mountpoint="/run", fstype="tmpfs") for name in ("size", "avail")),
        put("kubernetes_quota_used", 10.0, namespace="shop", quota="q", resource="pods"),
        put("kubernetes_quota_hard", 10.0, namespace="shop", quota="q", resource="pods"),
        put("kubernetes_node_memory_bytes", 3 * GIB, node="n1"),
        put("kubernetes_node_memory_allocatable_bytes", 8 * GIB, node="n1"),
    ]
    write(client, alice, *given)


@pytest.mark.usefixtures("filled")
def test_what_fills_up_is_told_with_an_interval_the_most_pressing_first(
    client: FlaskClient, alice: Person, now: float
) -> None:
    told = get(client, alice, "/sre/forecasts")
    assert [(one["kind"], one["state"]) for one in told] == [
        ("quota", "full"),
        ("disk", "filling"),
        ("disk", "steady"),
        ("memory", "steady"),
    ]
    disk = told[1]
    assert disk["labels"]["mountpoint"] == "/data"
    assert disk["growth"] == pytest.approx(4 * GIB / DAY)
    # Of 60 GiB that were free a week ago 4 go each day.
    moments = [datetime.fromisoformat(disk[name]).timestamp() for name in ("earliest_at", "full_at", "latest_at")]
    assert moments == pytest.approx([now + (60 - 4 * 167 / 24) / 4 * DAY] * 3, abs=2 * 3600)
    assert (told[2]["full_at"], told[3]["used"], told[3]["points"]) == (None, 3 * GIB, 168)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("asked", "count"),
    [({"kind": "disk"}, 2), ({"state": "steady"}, 2), ({"within_days": 1}, 1), ({"within_days": 30}, 2)],
)
def test_forecasts_are_narrowed(client: FlaskClient, alice: Person, asked: Any, count: int) -> None:
    assert len(get(client, alice, "/sre/forecasts", **asked)) == count


def test_nothing_measured_is_nothing_told(client: FlaskClient, alice: Person) -> None:
    assert get(client, alice, "/sre/forecasts") == []
    error_of(client.get("/api/v1/sre/forecasts?kind=luck", headers=alice.headers), 422)


@pytest.mark.usefixtures("filled")
def test_strangers_are_told_nothing(client: FlaskClient, alice: Person, charlie: Person) -> None:
    assert get(client, charlie, "/sre/forecasts", organization_id=str(alice.organization_id)) == []
