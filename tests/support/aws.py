"""AWS, as far as moto knows it, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from launcher.ports import free_port


@contextmanager
def moto() -> Iterator[str]:
    """Run it while the block runs; yields its address."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url + "/moto-api/", started)
        yield url
    finally:
        started.terminate()
        started.wait(20)


def _wait_for(url: str, started: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            assert started.poll() is None, "moto has ended"
            assert time.monotonic() < ends, "moto does not answer"
            time.sleep(0.1)
