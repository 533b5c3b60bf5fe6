"""A Prometheus in memory, over real HTTP on loopback: the part of its API that is asked, by the platform's own query
language; and a real one with a node_exporter, where the machine has them."""

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
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np

from app.kernel.errors import Invalid
from app.monitoring.language import Matcher, Selector, evaluate, parse, selector_of
from app.monitoring.points import Points, put_in_order, to_micros

PROGRAM = shutil.which("prometheus")
NODE_EXPORTER = shutil.which("prometheus-node-exporter")
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
def real_prometheus(folder: Path, seconds: float = 60.0, **others: str) -> Iterator[str]:
    """Run Debian's Prometheus, which watches itself every second, and `others` by their addresses, each as the job of
    its name; yields its address once it has samples of all."""
    watched = [_watch(folder, job) for job in ("itself", *others)]
    told = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    (folder / "prometheus.yml").write_text(json.dumps({"global": told, "scrape_configs": watched}))
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with _listening(PROGRAM or "prometheus", options, folder / "prometheus.log", seconds) as (process, place):
        for job, address in {"itself": place, **others}.items():
            (folder / f"{job}.json").write_text(json.dumps([{"targets": [address]}]))
        _await(process, seconds, lambda: _count_well(f"http://{place}") == len(watched))
        yield f"http://{place}"


@contextmanager
def real_node_exporter(folder: Path, seconds: float = 60.0) -> Iterator[str]:
    """Run Debian's node_exporter with what it says of processors and memory; yields its address."""
    options = ["--collector.disable-defaults", "--collector.cpu", "--collector.meminfo"]
    with _listening(NODE_EXPORTER or "prometheus-node-exporter", options, folder / "node.log", seconds) as (_, place):
        yield place


def _watch(folder: Path, job: str) -> dict[str, Any]:
    return {"job_name": job, "file_sd_configs": [{"files": [f"{folder}/{job}.json"], "refresh_interval": "1s"}]}


@contextmanager
def _listening(
    program: str, options: list[str], said: Path, seconds: float
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a server on a port of its choice; yields it with its address."""
    with said.open("wb") as log:
        process = subprocess.Popen([program, *options, "--web.listen-address=127.0.0.1:0"], stderr=log)
    try:
        yield process, _await(process, seconds, lambda: LISTENING.search(said.read_text()))[1]
    finally:
        process.terminate()
        process.wait(20)


def _await(process: subprocess.Popen[bytes], seconds: float, find: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert process.poll() is None, f"{process.args} has ended"
        assert time.monotonic() < deadline, f"{process.args} is not ready"
        time.sleep(0.2)
    return found


def _count_well(url: str) -> int:
    """Return how many targets were scraped well some times."""
    query = urlencode({"query": "sum_over_time(up[1m])>2"})
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=2) as answer:
            return len(json.load(answer)["data"]["result"])
    except OSError:
        return 0
