"""What a stream needs around it: gunicorn, the stream process, and a way to write events, each of them real."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from app.jobs import Job
from app.kernel.db import Database
from app.kernel.handover import ping
from app.kernel.ids import new_id
from app.kernel.opening import open_database, open_redis
from app.kernel.stream import Delivered, RedisLive, publish
from tests.support.sse import SseClient

ROOT = Path(__file__).parents[2]
START_SECONDS = 180.0
LIMITS = {"max_streams": 2000, "max_websockets": 1000, "auth_seconds": 10.0, "beat_seconds": 1}


class StreamWorld:
    """One gunicorn and one stream process, which a test may kill and start again."""

    def __init__(self, folder: Path, database_url: str, redis_url: str, **limits: float | str) -> None:
        self.folder = folder
        self.socket_path = folder / "stream.sock"
        self.redis_url = redis_url
        self._redis = open_redis(redis_url)
        self.database: Database = open_database(database_url, self._redis, pool_size=8)
        self.live = RedisLive(self._redis)
        # Ours from now on: a port that is picked and let go may be another's before gunicorn listens.
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.process: subprocess.Popen[bytes] | None = None
        self._settings = {
            "folder": str(folder),
            "socket": str(self.socket_path),
            "database_url": database_url,
            "redis_url": redis_url,
            **LIMITS,
            **limits,
        }
        (folder / "ended").write_text("")

    @contextmanager
    def running(self) -> Iterator[StreamWorld]:
        """Start both; stop them at the end."""
        door = self._listening.fileno()
        command = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{door}", "--workers", "2"]
        command += [
            "--worker-class",
            "gthread",
            "--preload",
            "--threads",
            "4",
            "--log-level",
            "warning",
            "tests.support.stream_app:app",
        ]
        environment = os.environ | {"STREAM_SOCKET": str(self.socket_path)}
        with ExitStack() as stack:
            stack.callback(self._close)
            web = stack.enter_context(subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[door]))
            stack.callback(web.terminate)
            stack.callback(self.stop)
            self.start()
            wait_for(self._web_answers, START_SECONDS)
            yield self

    def start(self) -> None:
        """Start the stream process."""
        command = [sys.executable, "-m", "tests.support.stream_process", json.dumps(self._settings)]
        before = self._door()
        with (self.folder / "stream.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=log)
        wait_for(lambda: self._door() != before and ping(self.socket_path), START_SECONDS)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the stream process."""
        if self.process is not None:
            self.process.send_signal(number)
            assert self.process.wait(START_SECONDS) == (0 if number == signal.SIGTERM else -number)
            self.process = None

    def listen(self, topics: str, last_id: str | None = None, *, ends_on: str = "", login: str = "") -> SseClient:
        """Open a stream of events."""
        return SseClient(self.port, f"/events?topics={topics}&ends_on={ends_on}&login={login}", last_id)

    def follow(self, step_id: str, last_id: str | None = None) -> SseClient:
        """Open the stream of a log."""
        return SseClient(self.port, f"/log/{step_id}", last_id)

    def publish(self, topic: str, *types: str, **data: Any) -> None:
        """Write events in one transaction."""
        with self.database.transaction() as session:
            for event_type in types:
                publish(session, topic, event_type, data)

    def make_job(self, user_id: UUID | None = None, organization_id: UUID | None = None) -> str:
        """Write the row of a job that never runs, and return its topic."""
        job = Job(
            id=new_id(),
            kind="tests.nothing",
            queue="default",
            priority=5,
            payload={},
            max_attempts=1,
            created_by=user_id,
            organization_id=organization_id,
        )
        with self.database.transaction() as session:
            session.add(job)
        return job.topic

    def write_log(self, step_id: str, attempts: dict[int, int], *, ended: bool = False, wake: bool = True) -> None:
        """Let the log of a step have so many lines in each attempt."""
        lines = {attempt: [log_line(attempt, seq) for seq in range(1, many + 1)] for attempt, many in attempts.items()}
        draft = self.folder / "draft"
        draft.write_text(json.dumps({"attempts": lines, "ended": ended}))
        draft.replace(self.folder / f"{step_id}.json")
        if wake:
            self.live.send([Delivered(f"log:{step_id}", 0, "log", "2026-01-01T00:00:00.000Z", {})])

    def descriptors(self) -> int:
        """Count what the stream process holds open."""
        assert self.process is not None
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def descriptors_at_rest(self) -> int:
        """Count them once what earlier tests have left is closed: nothing has changed for a while."""
        counts = [self.descriptors()]
        while len(counts) < 6 or len(set(counts[-6:])) > 1:
            time.sleep(0.1)
            counts.append(self.descriptors())
        return counts[-1]

    def memory(self) -> int:
        """Return the resident bytes of the stream process."""
        assert self.process is not None
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def _close(self) -> None:
        self._listening.close()
        self._redis.close()
        assert isinstance(self.database.bind, Engine)
        self.database.bind.dispose()

    def _door(self) -> int | None:
        return self.socket_path.stat().st_ino if self.socket_path.exists() else None

    def _web_answers(self) -> bool:
        try:
            with SseClient(self.port, "/plain") as client:
                return client.status == 200
        except OSError:
            return False


def log_line(attempt: int, seq: int) -> dict[str, Any]:
    """Return a line of a log."""
    return {
        "seq": seq,
        "timestamp": "2026-01-01T00:00:00.000Z",
        "stream": "stdout",
        "level": "info",
        "message": f"line {seq} of attempt {attempt}\u00e9",
    }


def wait_for(look: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until `look` sees something true."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
