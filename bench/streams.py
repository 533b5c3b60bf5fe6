"""Streams: memory of a listener, CPU of a delivered event, and its delay, beside the bare `send` of the same bytes.

Run by itself: `python -m bench.streams 1000 5000`. The clients share the machine with the process that is measured, so
the delays are upper bounds; CPU and memory are the stream process's own.
"""

from __future__ import annotations

import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.kernel.db import Base, Database
from app.kernel.handover import Handover, StreamRequest, ping
from app.kernel.opening import open_database, open_redis
from app.kernel.stream import publish
from launcher.embedded import EmbeddedPostgres, EmbeddedRedis

EVENTS = 20
EVENT_SECONDS = 0.25
EVENT_TEXT = "x" * 60
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Result:
    """What was measured with so many clients on so many topics."""

    clients: int
    topics: int
    connect_seconds: float
    kilobytes: float
    microseconds: float
    bare_microseconds: float
    delays: list[float]

    def line(self) -> str:
        """Return a line of the table."""
        cuts = statistics.quantiles(self.delays, n=100)
        return (
            f"{self.clients:>7,} {self.topics:>7,} {self.connect_seconds:>8.1f} s {self.kilobytes:>9.1f} "
            f"{self.microseconds:>8.1f} {self.bare_microseconds:>8.1f} "
            f"{cuts[49] * 1000:>7.0f} /{cuts[98] * 1000:>5.0f} /{max(self.delays) * 1000:>5.0f} ms"
        )


class StreamBench:
    """The real stream process on a database and a Redis of its own."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        self.socket_path = folder / "stream.sock"
        self._environment = os.environ | {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": "x" * 40,
            "STREAM_SOCKET": str(self.socket_path),
            "LOG_LEVEL": "WARNING",
            "DATA_DIR": str(folder),
        }
        self._redis = open_redis(redis_url)
        self.database: Database = open_database(database_url, self._redis)
        with self.database.transaction() as session:
            tables = [Base.metadata.tables[name] for name in ("stream_topics", "stream_events")]
            Base.metadata.create_all(session.connection(), tables)

    @contextmanager
    def process(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the stream process."""
        with subprocess.Popen([sys.executable, "-m", "workers.stream"], env=self._environment) as process:
            try:
                while not ping(self.socket_path):
                    time.sleep(0.05)
                yield process
            finally:
                process.terminate()

    def measure(self, count: int, topics: int) -> Result:
        """Measure `count` clients spread over `topics` topics."""
        names = [f"bench:{time.time_ns()}-{number}" for number in range(topics)]
        with self.process() as process, ExitStack() as stack:
            time.sleep(1)
            before = _memory(process.pid)
            began = time.monotonic()
            clients = [stack.enter_context(self._listen(names[number % topics])) for number in range(count)]
            _settle(clients)
            connected = time.monotonic() - began
            time.sleep(1)
            kilobytes = (_memory(process.pid) - before) / 1024 / count
            cpu = _cpu(process.pid)
            delays = self._deliver(clients, names)
            microseconds = (_cpu(process.pid) - cpu) / len(delays) * 1e6
        return Result(count, topics, connected, kilobytes, microseconds, _bare(count), delays)

    def _listen(self, topic: str) -> socket.socket:
        client, served = _pair()
        Handover(self.socket_path).pass_socket(served, StreamRequest("events", (topic,)))
        served.close()
        return client

    def _deliver(self, clients: list[socket.socket], topics: list[str]) -> list[float]:
        waiting = select.epoll()
        for client in clients:
            client.setblocking(False)
            waiting.register(client, select.EPOLLIN)
        by_number = {client.fileno(): client for client in clients}
        delays: list[float] = []
        for number in range(EVENTS):
            began = time.monotonic()
            with self.database.transaction() as session:
                for topic in topics:
                    publish(session, topic, "progress", {"percent": number, "message": EVENT_TEXT})
            due = len(clients)
            while due:
                for found, _ in waiting.poll(10):
                    came = by_number[found].recv(65536).count(b"\nevent: ")
                    delays += [time.monotonic() - began] * came
                    due -= came
            time.sleep(max(0.0, EVENT_SECONDS - (time.monotonic() - began)))
        return delays


def _settle(clients: list[socket.socket]) -> None:
    """Read the head of each reply."""
    for client in clients:
        head = b""
        while b"retry" not in head:
            head += client.recv(4096)


def _bare(count: int) -> float:
    """Return the CPU microseconds of sending the same bytes by nothing but `send`."""
    text = b'id: 1\nevent: progress\ndata: {"id":"1","type":"progress","topic":"bench:1","data":{"message":"%s"}}\n\n'
    data = text % EVENT_TEXT.encode()
    with ExitStack() as stack:
        pairs = [tuple(map(stack.enter_context, _pair())) for _ in range(min(count, 1000))]
        began = time.process_time()
        for _ in range(EVENTS):
            for _, served in pairs:
                served.send(data)
        return (time.process_time() - began) / EVENTS / len(pairs) * 1e6


def _pair() -> tuple[socket.socket, socket.socket]:
    client = socket.create_connection(_door().getsockname())
    served, _ = _door().accept()
    return client, served


def _door(doors: list[socket.socket] = []) -> socket.socket:  # noqa: B006  one listening socket for the whole run
    if not doors:
        doors.append(socket.create_server(("127.0.0.1", 0), backlog=1024))
    return doors[0]


def _memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main(counts: list[int]) -> None:
    """Print a line for each number of clients, on one topic and on a topic each."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(EmbeddedPostgres(folder / "postgres"))
        redis = stack.enter_context(EmbeddedRedis(folder / "redis"))
        bench = StreamBench(folder, postgres.url, redis.url)
        print("clients  topics    connect  kB/client  us/event  bare us  delay p50 / p99 / max")
        for count in counts:
            for topics in (1, count):
                print(bench.measure(count, topics).line(), flush=True)


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [1000, 5000])
