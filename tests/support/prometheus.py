"""A Prometheus in memory, over real HTTP on loopback: the part of its API that is asked, by the platform's own query
language; and a real one, where the machine has it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from app.kernel.errors import Invalid
from app.monitoring.language import Matcher, Selector, evaluate, parse, selector_of
from app.monitoring.points import Points, put_in_order, to_micros

PROGRAM = shutil.which("prometheus")
LISTENING = re.compile(r'msg="Listening on" address=(127\.0\.0\.1:\d+)')
Answer = tuple[int, bytes]
Labels = Mapping[str, str]


@dataclass
class Prometheus:
    """Series by their labels, `__name__` among them. `authorization` is what must be sent, if anything; `answer` is
    sent instead of what would be right; while `held` is set, nothing is. `asked` are the questions so far."""

    port: int = 0
    series: list[tuple[Labels, list[tuple[float, float]]]] = field(default_factory=list)
    authorization: str | None = None
    answer: Callable[[str], Answer] | None = None
    held: threading.Event = field(default_factory=threading.Event)
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def put(self, name: str, points: list[tuple[float, float]], **labels: str) -> None:
        """Have a series."""
        self.series.append(({"__name__": name, **labels}, points))

    def reply(self, path: str, query: dict[str, str], authorization: str | None) -> Answer:
        """Answer a question."""
        self.asked.append({"path": path, **query})
        if self.held.is_set():
            time.sleep(20)
        if self.authorization is not None and authorization != self.authorization:
            return 401, b"Unauthorized"
        if self.answer is not None:
            return self.answer(path)
        try:
            found = self._instant(query) if path == "/api/v1/query" else self._range(query)
        except Invalid as refusal:
            said = {"status": "error", "errorType": "bad_data", "error": str(refusal.errors)}
            return 400, json.dumps(said).encode()
        told = {"status": "success", "data": {"resultType": "matrix", "result": found}}
        return 200, json.dumps(told).encode()

    def _instant(self, query: dict[str, str]) -> list[Any]:
        chosen, until = selector_of(parse(f"count_over_time({query['query']})")), float(query["time"])
        since = until - (chosen.seconds or 0.0)
        return [
            _show(labels, [(at, value) for at, value in points if since <= at <= until])
            for labels, points in self.series
            if _is_meant(chosen, labels)
        ]

    def _range(self, query: dict[str, str]) -> list[Any]:
        start, end, step = (float(query[name]) for name in ("start", "end", "step"))
        steps = np.arange(start, end + step / 2, step)
        lines = evaluate(parse(query["query"]), steps, self._read)
        there = ((line, np.isfinite(line.values)) for line in lines)
        return [_show(line.labels, zip(steps[good], line.values[good], strict=True)) for line, good in there]

    def _read(self, selector: Selector, after: float, until: float) -> list[tuple[Labels, Points]]:
        found = []
        for labels, points in self.series:
            if _is_meant(selector, labels):
                kept = [(at, value) for at, value in points if after < at <= until]
                times, values = np.array([at for at, _ in kept], float), np.array([value for _, value in kept], float)
                found.append((labels, put_in_order(to_micros(times), values)))
        return found


def _show(labels: Labels, points: Iterable[tuple[float, float]]) -> dict[str, Any]:
    return {"metric": dict(labels), "values": [[float(at), _write(value)] for at, value in points]}


def _write(value: float) -> str:
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(str(float(value)), repr(float(value)))


def _is_meant(selector: Selector, labels: Labels) -> bool:
    named = selector.name is None or labels["__name__"] == selector.name
    return named and all(_holds(one, labels.get(one.label, "")) for one in selector.matchers)


def _holds(matcher: Matcher, value: str) -> bool:
    return (value == matcher.value) == (matcher.operator == "=")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    prometheus: Prometheus

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        query = {name: values[0] for name, values in parse_qs(body).items()}
        status, said = self.prometheus.reply(urlsplit(self.path).path, query, self.headers.get("Authorization"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no error."""


@contextmanager
def prometheus_in_memory() -> Iterator[Prometheus]:
    """Run one."""
    prometheus = Prometheus()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"prometheus": prometheus}))
    prometheus.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield prometheus
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def real_prometheus(folder: Path, seconds: float = 60.0) -> Iterator[str]:
    """Run Debian's Prometheus, which watches itself every second; yields its address once it has samples."""
    targets, said = folder / "targets.json", folder / "prometheus.log"
    discovery = {"files": [str(targets)], "refresh_interval": "1s"}
    told = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    scraped = {"job_name": "itself", "file_sd_configs": [discovery]}
    (folder / "prometheus.yml").write_text(json.dumps({"global": told, "scrape_configs": [scraped]}))
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with said.open("wb") as log:
        process = subprocess.Popen([PROGRAM or "prometheus", *options, "--web.listen-address=127.0.0.1:0"], stderr=log)
    try:
        place = _await(process, seconds, lambda: LISTENING.search(said.read_text()))[1]
        targets.write_text(json.dumps([{"targets": [place]}]))
        _await(process, seconds, lambda: _has_samples(f"http://{place}"))
        yield f"http://{place}"
    finally:
        process.terminate()
        process.wait(20)


def _await(process: subprocess.Popen[bytes], seconds: float, find: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert process.poll() is None, "Prometheus has ended"
        assert time.monotonic() < deadline, "Prometheus is not ready"
        time.sleep(0.2)
    return found


def _has_samples(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?query=count_over_time(up[1m])>2", timeout=2) as answer:
            return bool(json.load(answer)["data"]["result"])
    except OSError:
        return False
