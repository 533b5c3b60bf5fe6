"""The demo's client against a server that answers as told: refusals, broken streams, tokens that run out."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from launcher.demo import api as client
from launcher.demo.api import Api, ContactLost, Refused
from launcher.ports import free_port

EVENTS = [f'id: {number}\nevent: log\ndata: {{"number": {number}}}\n\n'.encode() for number in range(1, 7)]


class Server(ThreadingHTTPServer):
    """Answers each request with the next of `answers` (status, body) and keeps what was asked."""

    daemon_threads = True

    def __init__(self, answers: list[tuple[int, bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = iter(answers)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.base = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, body = next(self.server.answers)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Server]]:
    monkeypatch.setattr(client, "PAUSE_SECONDS", 0.01)
    started: list[Server] = []

    class Started(Server):
        def __init__(self, answers: list[tuple[int, bytes]]) -> None:
            super().__init__(answers)
            started.append(self)
            threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    yield Started
    for server in started:
        server.shutdown()
        server.server_close()


def numbers(api: Api) -> list[int]:
    return [event.data["number"] for event in api.follow("/stream")]


def test_the_envelope_is_taken_off(serve: type[Server]) -> None:
    server = serve([(202, b'{"data": {"id": "x"}}')])
    reply = Api(server.base, token="t").post("/things", {"a": 1}, Idempotency_Key="k")
    assert (reply.status_line, reply.data) == ("HTTP/1.0 202 Accepted", {"id": "x"})
    path, headers = server.asked[0]
    assert path == "/api/v1/things"
    assert headers["Idempotency-Key"] == "k"
    assert headers["Authorization"] == "Bearer t"
    assert headers["Content-Type"] == "application/json"


def test_a_stream_ends_with_its_end(serve: type[Server]) -> None:
    server = serve([(200, b": hello\n\n" + b"".join(EVENTS[:2]) + b"event: end\ndata: {}\n\n" + EVENTS[2])])
    assert numbers(Api(server.base)) == [1, 2]


def test_a_broken_stream_goes_on_where_it_was(serve: type[Server]) -> None:
    cut = EVENTS[3][:-1]
    server = serve(
        [
            (200, b"".join(EVENTS[:3]) + cut),
            (503, b""),
            (200, b"".join(EVENTS[3:5])),
            (200, EVENTS[5] + b"event: end\ndata: {}\n\n"),
        ]
    )
    assert numbers(Api(server.base)) == [1, 2, 3, 4, 5, 6]
    assert [headers.get("Last-Event-ID") for _, headers in server.asked] == [None, "3", "3", "5"]


def test_a_refusal_names_code_message_and_fields(serve: type[Server]) -> None:
    fault = b'{"field": "stages[0]", "message": "unknown key \\u001b[2J"}'
    server = serve([(422, b'{"error": {"code": "VALIDATION_ERROR", "message": "No.", "errors": [' + fault + b"]}}")])
    with pytest.raises(Refused) as refusal:
        Api(server.base).post("/pipelines", b"x", Content_Type="application/yaml")
    said = "POST /pipelines was answered with 422 VALIDATION_ERROR: No.\n  stages[0]: unknown key [2J"
    assert str(refusal.value) == said


def test_a_stream_that_is_refused_is_not_asked_for_again(serve: type[Server]) -> None:
    server = serve([(404, b'{"error": {"code": "RESOURCE_NOT_FOUND", "message": "No such step."}}')])
    with pytest.raises(Refused, match="No such step"):
        numbers(Api(server.base))
    assert len(server.asked) == 1


def test_a_token_that_ran_out_is_renewed_once(serve: type[Server]) -> None:
    expired = b'{"error": {"code": "TOKEN_EXPIRED", "message": "Too old."}}'
    server = serve([(401, expired), (200, b'{"data": 1}'), (401, expired), (200, b"event: end\ndata: {}\n\n")])
    api = Api(server.base, token="old", renew=iter(["new", "newer"]).__next__)
    assert api.get("/jobs").data == 1
    assert numbers(api) == []
    tokens = [headers["Authorization"] for _, headers in server.asked]
    assert tokens == ["Bearer old", "Bearer new", "Bearer new", "Bearer newer"]


def test_nobody_there_is_one_clear_line() -> None:
    with pytest.raises(ContactLost, match=r"GET http://127\.0\.0\.1:\d+/api/v1/jobs got no answer"):
        Api(f"http://127.0.0.1:{free_port()}").get("/jobs")
