"""Streams: memory of a listener, CPU of a delivered event, and its delay, beside the bare `send` of the same bytes.

Run by itself: `python -m bench.streams 1000 5000`. The clients share the machine with the process that is measured, so
the delays are upper bounds; CPU and memory are the stream process's own.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from app.kernel.opening import open_database, open_redis
from app.kernel.stream import publish
from bench.findings import percentile
from bench.ground import PROCFILE, Ground, Programs
from bench.hearers import Hearers, Owner

KINDS = ("sse", "websocket")
EVENTS = 20
EVENT_SECONDS = 0.5
EVENT_TEXT = "x" * 60
TICKS = os.sysconf("SC_CLK_TCK")
REST_SECONDS = 1.0


@dataclass(frozen=True)
class Result:
    """What was measured with so many clients on so many topics; delays are in seconds, from before the transaction."""

    kind: str
    clients: int
    topics: int
    connect_seconds: float
    kilobytes: float
    microseconds: float
    bare_microseconds: float
    delays: list[float]

    def delay(self, share: float) -> float:
        """Return the milliseconds within which that share was heard."""
        return 1e3 * percentile(self.delays, share)

    def line(self) -> str:
        """Return a line of the table."""
        return (
            f"{self.kind:>9} {self.clients:>7,} {self.topics:>7,} {self.connect_seconds:>8.1f} s "
            f"{self.kilobytes:>9.1f} {self.microseconds:>8.1f} {self.bare_microseconds:>8.1f} "
            f"{self.delay(0.5):>7.0f} /{self.delay(0.99):>5.0f} /{self.delay(1):>5.0f} ms"
        )


def measure_streams(ground: Ground, kind: str, clients: int, topics: int = 1) -> Result:
    """Measure so many clients of a kind, spread over topics, on a stream process of their own."""
    name = f"streams_{kind}_{clients}_{topics}"
    commands = {"stream": PROCFILE["stream"]}
    with ground.programs(name, commands, MAX_WEBSOCKETS_PER_CLIENT="1000000").running() as programs:
        return _measure(programs, kind, clients, topics)


def _measure(programs: Programs, kind: str, count: int, topics: int) -> Result:
    settings, pid = programs.settings, programs.pid("stream")
    database = open_database(settings.database_url, open_redis(settings.redis_url))
    owner = Owner.make(database, settings)
    names = owner.make_topics(database, topics)
    with Hearers(settings.stream_socket, kind, owner) as hearers:
        time.sleep(REST_SECONDS)
        before = _memory(pid)
        connected = hearers.come(count, names)
        time.sleep(REST_SECONDS)
        kilobytes = (_memory(pid) - before) / 1024 / count
        cpu, delays = _cpu(pid), list[float]()
        for number in range(EVENTS):
            began = time.monotonic()
            with database.transaction() as session:
                for name in names:
                    publish(session, name, "progress", {"percent": number, "message": EVENT_TEXT})
            delays += hearers.hear_one(began, hearers.sampled)
            time.sleep(max(0.0, EVENT_SECONDS - (time.monotonic() - began)))
        microseconds = (_cpu(pid) - cpu) / EVENTS / count * 1e6
        hearers.check_rest(EVENTS)
    return Result(kind, count, topics, connected, kilobytes, microseconds, _bare(count), delays)


def _bare(count: int) -> float:
    """Return the CPU microseconds of sending the same bytes by nothing but `send`."""
    text = b'id: 1\nevent: progress\ndata: {"id":"1","type":"progress","topic":"bench:1","data":{"message":"%s"}}\n\n'
    data = text % EVENT_TEXT.encode()
    with ExitStack() as stack:
        door = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
        served = []
        for _ in range(min(count, 1000)):
            stack.enter_context(socket.create_connection(door.getsockname()))
            served.append(stack.enter_context(door.accept()[0]))
        began = time.process_time()
        for _ in range(EVENTS):
            for one in served:
                one.send(data)
        return (time.process_time() - began) / EVENTS / len(served) * 1e6


def allow_files() -> int:
    """Raise the limit of open files as far as it goes; returns it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def _memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main(counts: list[int]) -> None:
    """Print a line for each kind and number of clients, on one topic and on many."""
    print(f"open files a process: {allow_files():,}; load {os.getloadavg()[0]:.1f}")
    with Ground.opened() as ground:
        print("     kind clients  topics    connect  kB/client  us/event  bare us  delay p50 / p99 / max")
        for count in counts:
            for topics in (1, count // 10):
                for kind in KINDS:
                    print(measure_streams(ground, kind, count, topics).line(), flush=True)
    print(f"load {os.getloadavg()[0]:.1f} in the end")


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [1000, 5000])
