"""Metrics on a running platform: written by clients and by a real Prometheus, and scanned."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from launcher.ports import free_port
from launcher.procfile import read_procfile
from tests.support.callers import User
from tests.support.platform import Platform, wait_for
from tests.support.servers import ROOT, Servers

NAMES = ("web", "worker-sre", "relay")
START = 1767225600
ALERTED = """
route: {{receiver: us, group_wait: 0s, group_interval: 1s}}
receivers:
  - name: us
    webhook_configs:
      - url: {base}/api/v1/alerts/ingest
        http_config: {{authorization: {{credentials: {token}}}}}
"""
WATCHED = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: gone
    static_configs: [{{targets: ["127.0.0.1:{gone}"]}}]
rule_files: [{rules}]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]
"""
RULES = """
groups:
  - name: all
    rules:
      - alert: Gone
        expr: up{job="gone"} == 0
        for: 2s
        annotations: {summary: "nothing listens there"}
"""
SCRAPED = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: itself
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
remote_write:
  - url: {base}/api/v1/metrics/write
    authorization: {{credentials: {token}}}
    queue_config: {{batch_send_deadline: 1s}}
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    servers = Servers.started()
    procfile = read_procfile(ROOT / "Procfile")
    try:
        commands = {name: procfile[name] for name in NAMES}
        with Platform(tmp_path_factory.mktemp("scans"), servers, commands).running() as platform:
            yield platform
    finally:
        servers.stop()


@pytest.mark.timeout(300)
def test_what_is_written_is_scanned_by_a_worker(platform: Platform) -> None:
    alice = User.registered(platform.base, "watcher")
    points = [[START + 300 * at, 100.0 + at % 7 + (400.0 if 1200 <= at < 1206 else 0.0)] for at in range(5 * 288)]
    told = alice.post("/metrics/write", {"series": [{"name": "latency", "points": points}]}).data()
    assert told["accepted"] == len(points)
    asked = alice.post("/sre/scans", {"series": ["latency"]}).data(202)

    def ended() -> Any:
        job = alice.get(f"/jobs/{asked['job_id']}?wait=5").data()
        return job if job["finished_at"] else None

    job = wait_for(ended, 60)
    assert (job["status"], job["result"]["points"]) == ("succeeded", len(points))
    scores = alice.get(f"/sre/scans/{asked['id']}/scores").data()
    assert [at for at, _ in scores] == [at for at, _ in points]
    found = alice.get(f"/sre/anomalies?scan_id={asked['id']}&sort=-score").data()
    assert "2026-01-05T04:00:00.000Z" <= found[0]["detected_at"] < "2026-01-05T04:30:00.000Z"


@contextmanager
def running(*command: str) -> Iterator[None]:
    """A server of somebody else, for as long as the block lasts."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield
        finally:
            server.terminate()
            server.wait(20)


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no prometheus is installed here")
@pytest.mark.timeout(300)
def test_a_real_prometheus_writes_here_and_its_rates_are_ours(platform: Platform, tmp_path: Path) -> None:
    alice = User.registered(platform.base, "scraped")
    port = free_port()
    settings = tmp_path / "prometheus.yml"
    settings.write_text(SCRAPED.format(port=port, base=platform.base, token=alice.token))
    listening = f"--web.listen-address=127.0.0.1:{port}"
    with running("prometheus", f"--config.file={settings}", f"--storage.tsdb.path={tmp_path / 'data'}", listening):
        # More than ten seconds of it: where a counter begins within its range, versions of Prometheus differ.
        counter = "prometheus_tsdb_head_samples_appended_total"
        wait_for(lambda: any(value >= 14 for value in _values(alice, f"count_over_time({counter}[1m])")), 90)
        # Between two scrapes: Prometheus 2 counts a sample at the very start of a range, Prometheus 3 and we do not.
        at = int(time.time()) - 1.5003
        query = f"sum(rate({counter}[10s]))"

        def agree() -> bool:
            theirs = _ask(f"http://127.0.0.1:{port}/api/v1/query", query=query, time=at)["data"]["result"]
            return _values(alice, query, time=at) == [pytest.approx(float(theirs[0]["value"][1]), rel=1e-3)]

        # A scrape that took long, and what waits to be sent, are there a moment later.
        wait_for(agree, 30)


@pytest.mark.skipif(shutil.which("prometheus-alertmanager") is None, reason="no Alertmanager is installed here")
@pytest.mark.timeout(300)
def test_a_real_alertmanager_tells_us_what_fires_and_what_is_over(platform: Platform, tmp_path: Path) -> None:
    alice = User.registered(platform.base, "alerted")
    port = free_port()
    settings = tmp_path / "alertmanager.yml"
    settings.write_text(ALERTED.format(base=platform.base, token=alice.token))
    listening = (f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=")
    with running("prometheus-alertmanager", f"--config.file={settings}", f"--storage.path={tmp_path}", *listening):
        alerts = f"http://127.0.0.1:{port}/api/v2/alerts"
        down = {"labels": {"alertname": "Down", "node": "n1"}, "annotations": {"summary": "n1 is down"}}
        wait_for(lambda: _send(alerts, [down]), 30)
        found = wait_for(lambda: alice.get("/alerts?status=firing").data(), 60)
        assert [(one["name"], one["title"], one["labels"]["node"]) for one in found] == [("Down", "n1 is down", "n1")]
        _send(alerts, [down | {"endsAt": "2026-01-01T00:00:00Z"}])
        wait_for(lambda: alice.get("/alerts?status=resolved").data(), 60)


@pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("prometheus-alertmanager")),
    reason="no prometheus and Alertmanager are installed here",
)
@pytest.mark.timeout(300)
def test_what_fires_in_a_real_prometheus_fires_here_until_it_is_over(platform: Platform, tmp_path: Path) -> None:
    alice = User.registered(platform.base, "watched")
    port, gone, alertmanager = free_port(), free_port(), free_port()
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "alertmanager.yml").write_text(ALERTED.format(base=platform.base, token=alice.token))
    told = WATCHED.format(gone=gone, rules=tmp_path / "rules.yml", alertmanager=alertmanager)
    (tmp_path / "prometheus.yml").write_text(told)
    told_by = (f"--config.file={tmp_path}/alertmanager.yml", f"--storage.path={tmp_path}/told")
    listening = (f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address=")
    watched_by = (f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data")
    with (
        running("prometheus-alertmanager", *told_by, *listening),
        running("prometheus", *watched_by, f"--web.listen-address=127.0.0.1:{port}"),
    ):
        found = wait_for(lambda: alice.get("/alerts?status=firing").data(), 90)
        assert [(one["name"], one["title"], one["source"]) for one in found] == [
            ("Gone", "nothing listens there", "alertmanager")
        ]
        assert found[0]["labels"]["instance"] == f"127.0.0.1:{gone}"
        with running(
            sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d", str(_metrics(tmp_path)), str(gone)
        ):
            wait_for(lambda: alice.get("/alerts?status=resolved").data(), 90)


def _metrics(folder: Path) -> Path:
    """A folder that is served as one that measures nothing."""
    (folder / "served").mkdir()
    (folder / "served" / "metrics").write_text("")
    return folder / "served"


def _values(user: User, query: str, **asked: Any) -> list[float]:
    found = user.get(f"/metrics/query?{urlencode({'query': query, 'time': time.time(), **asked})}").data()["result"]
    return [line["points"][-1][1] for line in found]


def _ask(url: str, **asked: Any) -> Any:
    with urllib.request.urlopen(f"{url}?{urlencode(asked)}", timeout=10) as reply:
        return json.loads(reply.read())


def _send(url: str, body: Any) -> bool:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
