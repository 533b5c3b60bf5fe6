"""The streams of a container as an engine frames them, in whatever pieces they come."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.pipelines.gateways.containers.docker.attached import Attached
from tasks.pipelines.gateways.containers.docker.engine import Engine
from tests.support.containers.docker_api import frame

WHOLE = frame(b"one\n") + frame(b"two\n") + frame(b"bad\n", 2) + frame(b"") + frame(b"?", 0) + frame(b"three\n")


@contextmanager
def attached_to(folder: Path) -> Iterator[tuple[Attached, socket.socket]]:
    """A connection to an engine, and the engine's end of it."""
    address = f"unix://{folder}/engine.sock"
    with socket.socket(socket.AF_UNIX) as listening, ThreadPoolExecutor(1) as beside:
        listening.bind(f"{folder}/engine.sock")
        listening.listen()
        engine = beside.submit(_upgraded, listening)
        attached = Attached(address, Engine(address), "container", lambda: None)
        try:
            with engine.result() as connection:
                yield attached, connection
        finally:
            attached.close()


def _upgraded(listening: socket.socket) -> socket.socket:
    connection, _ = listening.accept()
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n")
    return connection


@pytest.mark.parametrize("size", [1, 3, 9, 1000])
def test_frames_are_read_in_whatever_pieces_they_come(tmp_path: Path, size: int) -> None:
    heard = {"stdout": b"", "stderr": b"", "system": b""}
    with attached_to(tmp_path) as (attached, engine):
        for start in range(0, len(WHOLE), size):
            engine.sendall(WHOLE[start : start + size])
            for stream, data in attached.read(1):
                heard[stream] += data
    assert heard == {"stdout": b"one\ntwo\nthree\n", "stderr": b"bad\n", "system": b""}


def test_a_frame_is_passed_on_before_it_is_whole(tmp_path: Path) -> None:
    with attached_to(tmp_path) as (attached, engine):
        engine.sendall(b"\1\0\0\0\xff\xff\xff\xff" + b"x" * 100)
        heard, give_up = b"", time.monotonic() + 10
        while len(heard) < 100 and time.monotonic() < give_up:
            heard += b"".join(data for _, data in attached.read(0.1))
    assert heard == b"x" * 100
