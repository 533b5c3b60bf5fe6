"""Metrics on a running platform: written by clients and by a real Prometheus, and scanned."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.ports import free_port
from launcher.procfile import read_procfile
from tests.support.callers import User
from tests.support.platform import Platform, wait_for
from tests.support.servers import ROOT, Servers

NAMES = ("web", "worker-sre", "relay")
START = 1767225600
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


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no prometheus is installed here")
@pytest.mark.timeout(300)
def test_a_real_prometheus_writes_here_and_its_rates_are_ours(platform: Platform, tmp_path: Path) -> None:
    alice = User.registered(platform.base, "scraped")
    port = free_port()
    settings = tmp_path / "prometheus.yml"
    settings.write_text(SCRAPED.format(port=port, base=platform.base, token=alice.token))
    command = ["prometheus", f"--config.file={settings}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    listening = f"--web.listen-address=127.0.0.1:{port}"
    with subprocess.Popen([*command, listening], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as prometheus:
        try:
            query = "/metrics/query?query=count_over_time(up%5B1m%5D)"
            wait_for(lambda: any(p[-1][1] >= 3 for p in _points(alice, query)), 60)
            rates = "/metrics/query?query=sum(rate(prometheus_http_requests_total%5B1m%5D))"
            assert wait_for(lambda: any(p[-1][1] > 0 for p in _points(alice, rates)), 60)
        finally:
            prometheus.terminate()
            prometheus.wait(20)


def _points(user: User, query: str) -> list[list[list[float]]]:
    return [line["points"] for line in user.get(query).data()["result"]]
