"""The API as it is deployed: gunicorn with its configuration, in processes of its own."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from config.settings import Settings
from launcher.ports import free_port

ROOT = Path(__file__).parents[2]
SECONDS = 40.0


@contextmanager
def serving(settings: Settings, folder: Path, **changed: str) -> Iterator[int]:
    """Serve the API for these settings (`changed` are further environment variables); yields its port."""
    port = free_port()
    said = folder / "web.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.py", "wsgi:app"],
            cwd=ROOT,
            env=_environment(settings, port, folder, changed),
            stdout=log,
            stderr=log,
        )
    try:
        _wait(process, port, said)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=SECONDS)


def _environment(settings: Settings, port: int, folder: Path, changed: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": settings.environment,
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "SECRET_KEY": settings.secret_key,
        "DATA_DIR": str(folder / "data"),
        "RUN_DIR": str(folder / "run"),
        "STREAM_SOCKET": str(settings.stream_socket),
        "PORT": str(port),
        **changed,
    }


def _wait(process: subprocess.Popen[bytes], port: int, said: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection, suppress(OSError):
            connection.request("GET", "/health/live")
            if connection.getresponse().read():
                return
        time.sleep(0.1)
    raise RuntimeError(said.read_text()[-3000:])
