"""Mails: one notification to ten thousand, beside a bare `smtplib` loop over one connection to the same server."""

from __future__ import annotations

import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from bench.caller import API, Caller, newcomer
from bench.client import Connection, request_bytes
from bench.findings import Finding
from bench.ground import Ground

RECIPIENTS = 10_000
BARE = 2_000
SUBJECT, TEXT = "Your order", "Dear customer,\n\nyour order is on its way.\n"
SENDER = "shop@shop.example"
PROCESSES = ("web", "worker-default", "relay")
PATIENCE = 1200.0


def measure(ground: Ground) -> list[Finding]:
    """Send in a hurry, once by the platform and once without."""
    with _inbox() as (port, count), ground.platform("mails", *PROCESSES, ALLOW_PRIVATE_ADDRESSES="true") as ours:
        caller = newcomer(ours.base)
        bare = _send_bare(port)
        count()
        _use(caller, ours.port, port)
        began = time.monotonic()
        job_id = _send(caller)
        asked = time.monotonic() - began
        _wait(caller, job_id)
        took, (came, first, newest) = time.monotonic() - began, count()
    if came != RECIPIENTS:
        raise RuntimeError(f"of {RECIPIENTS} mails {came:g} came")
    return [
        Finding(f"mails a second, of {RECIPIENTS:,}", (came - 1) / (newest - first), "", "a bare smtplib loop", bare),
        Finding("the request that asks for them", 1e3 * asked, "ms"),
        Finding("until all have an outcome", took, "s"),
    ]


@contextmanager
def _inbox() -> Iterator[tuple[int, Any]]:
    command = [sys.executable, "-m", "bench.inbox"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def count() -> tuple[float, ...]:
            print(file=process.stdin, flush=True)
            assert process.stdout is not None
            return tuple(map(float, process.stdout.readline().split()))

        try:
            yield int(process.stdout.readline()), count
        finally:
            process.terminate()


def _send_bare(port: int) -> float:
    """Return mails a second."""
    began = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as server:
        for number in range(BARE):
            mail = EmailMessage()
            mail["From"], mail["To"], mail["Subject"] = SENDER, f"user{number}@shop.example", SUBJECT
            mail.set_content(TEXT)
            server.send_message(mail)
    return BARE / (time.perf_counter() - began)


def _use(caller: Caller, platform_port: int, port: int) -> None:
    """Let the caller send by the server."""
    config = {"provider_type": "smtp", "host": "127.0.0.1", "port": port, "security": "none"}
    said = {"provider_config": config, "default_from_email": SENDER, "rate_limit_per_second": 1000}
    body = {"providers": [{"name": "default", **said}]}
    request = request_bytes("PUT", f"{API}/clients/email-providers", token=caller.token, body=body)
    connection = Connection(platform_port)
    connection.send(request, 200)
    connection.close()


def _send(caller: Caller) -> str:
    to = [f"user{number}@shop.example" for number in range(RECIPIENTS)]
    body = {"to_email": to, "subject": SUBJECT, "text": TEXT, "priority": "low"}
    return str(caller.api.post("/notifications", body).data["job_id"])


def _wait(caller: Caller, job_id: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not caller.api.get(f"/jobs/{job_id}").data["finished_at"]:
        if time.monotonic() > deadline:
            raise RuntimeError("the mails were not sent in time")
        time.sleep(0.5)
