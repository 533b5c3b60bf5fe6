"""Requests without a server: an application called in this process, for tools that look at what one request does.

`python -m bench.inside <module:app> <token> <count> <METHOD:path>…` answers, for each operation, a few requests, prints
`ready` and waits for a line, answers `count` more, prints what they did in SQL as JSON, and waits for a line again.
"""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from sqlalchemy import Engine, event

WARM_UP = 8
BODY = json.dumps({"variables": {"TARGET": "all"}}).encode()

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def environ_of(method: str, path: str, token: str) -> dict[str, Any]:
    """Return what a WSGI server tells of a request."""
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if token:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    if method == "POST":
        environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(BODY))}
    return environ


def call(application: Application, environ: dict[str, Any]) -> bytes:
    """Answer one request and return the body; raises RuntimeError unless it was a success."""
    status = ""

    def start_response(line: str, *_: Any) -> None:
        nonlocal status
        status = line

    chunks = application({**environ, "wsgi.input": io.BytesIO(BODY)}, start_response)
    body = b"".join(chunks)
    if close := getattr(chunks, "close", None):
        close()
    if not status.startswith("2"):
        raise RuntimeError(f"{status}\n{body.decode(errors='replace')}")
    return body


def count_sql() -> Counter[str]:
    """Return a counter of the statements and transactions of this process from now on."""
    done: Counter[str] = Counter()
    event.listen(Engine, "before_cursor_execute", lambda *_: done.update(statements=1))
    event.listen(Engine, "commit", lambda *_: done.update(commits=1))
    event.listen(Engine, "rollback", lambda *_: done.update(rollbacks=1))
    return done


def main(name: str, token: str, count: str, *operations: str) -> None:
    """Answer requests when told to."""
    module, _, attribute = name.partition(":")
    application: Application = getattr(import_module(module), attribute)
    done = count_sql()
    for operation in operations:
        method, _, path = operation.partition(":")
        environ = environ_of(method, path, token)
        for _ in range(WARM_UP):
            call(application, environ)
        done.clear()
        print("ready", flush=True)
        sys.stdin.readline()
        for _ in range(int(count)):
            call(application, environ)
        print(json.dumps(done), flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
