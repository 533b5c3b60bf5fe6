"""What only a real server shows: bodies without a length, several processes, a quiet end."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from tests.support.web import serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("web")


@pytest.fixture(scope="module")
def port(settings: Settings, folder: Path) -> Iterator[int]:
    with serving(settings, folder, WEB_WORKERS="2", MAX_BODY_BYTES="100000") as port:
        yield port


def send(
    port: int, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, Any, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    return reply.status, text, reply


def test_a_body_that_is_too_large_is_refused_by_its_length(port: int):
    status, text, _ = send(port, "POST", "/api/v1/auth/login", b" " * 10_000_000, Content_Type="application/json")
    assert status == 413
    assert json.loads(text)["error"]["code"] == "PAYLOAD_TOO_LARGE"


def test_a_body_without_a_length_is_refused_when_it_grows_too_large(port: int):
    chunks = (b" " * 50_000 for _ in range(100))
    status, text, _ = send(port, "POST", "/api/v1/auth/login", chunks, Content_Type="application/json")
    assert status == 413
    assert json.loads(text)["error"]["code"] == "PAYLOAD_TOO_LARGE"


def test_a_small_body_without_a_length_is_read(port: int):
    status, text, _ = send(
        port, "POST", "/api/v1/auth/login", iter([b'{"user', b'name": 5}']), Content_Type="application/json"
    )
    assert status == 422
    assert "username" in [fault["field"] for fault in json.loads(text)["error"]["errors"]]


def test_metrics_add_up_the_processes(port: int):
    for _ in range(30):
        send(port, "GET", "/health/live")
    counted = [
        line
        for line in send(port, "GET", "/metrics")[1].decode().splitlines()
        if line.startswith("headrace_http_requests_total") and "/health/live" in line
    ]
    assert len(counted) == 1
    assert float(counted[0].split()[-1]) >= 30


def test_the_server_does_not_say_more_of_itself_than_its_name(port: int):
    assert send(port, "GET", "/health/live")[2].headers["Server"] == "gunicorn"
