"""Telling code hosts by HTTP, and none but those that this installation may reach."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import closing
from typing import Final
from urllib.parse import urlsplit

import orjson

from app.kernel.addresses import AddressRules
from tasks.gateways.http import HttpClient
from tasks.pipelines.gateways.statuses.base import CommitStatus, StatusHostAway, StatusRefused
from tasks.pipelines.gateways.statuses.requests import Call, make_call

MOST_SAID: Final = 300
LONGEST_WAIT: Final = 3600.0


class HttpStatuses:
    """Sets statuses over HTTP. `tls` is what certificates are judged by where it is not the usual."""

    def __init__(self, *, allow_private_addresses: bool, tls: ssl.SSLContext | None = None) -> None:
        self._rules = AddressRules(allow_private=allow_private_addresses, allow_loopback=allow_private_addresses)
        self._tls = tls

    def report(self, status: CommitStatus, token: str) -> None:
        """Set a status; raises StatusRefused, StatusHostAway or an OutgoingError."""
        if not (token.isascii() and token.isprintable()):
            # Whoever refuses it later would say it.
            raise StatusRefused("The token holds a line break, or another character that no token has.")
        code, headers, said = self._send(make_call(status, token))
        _judge(status, code, headers, said.replace(token, "***"))

    def _send(self, call: Call) -> tuple[int, Mapping[str, str], str]:
        parts = urlsplit(call.url)
        headers = {"Content-Type": "application/json", "Accept": "application/json"} | dict(call.headers)
        base = f"{parts.scheme}://{parts.netloc}"
        with (
            closing(HttpClient(base, rules=self._rules, tls=self._tls)) as client,
            client.stream("POST", parts.path, headers=headers, body=orjson.dumps(dict(call.body))) as answer,
        ):
            # Its beginning says all that is shown; the rest, however long, is never read.
            said = next(answer.pieces(), b"")
            return answer.status, answer.headers, said.decode(errors="replace")


def _judge(status: CommitStatus, code: int, headers: Mapping[str, str], said: str) -> None:
    if 200 <= code < 300 or (status.provider == "gitlab" and "Cannot transition status" in said):
        return  # GitLab refuses a state that the status has already
    exhausted = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
    if code in (408, 429) or code >= 500 or (code == 403 and exhausted):
        raise StatusHostAway(f"The code host answered {code}.", retry_after=_seconds(headers.get("retry-after")))
    shown = " ".join(said.split())[:MOST_SAID]
    raise StatusRefused(f"The code host answered {code}: {shown}", status=code)


def _seconds(text: str | None) -> float | None:
    return min(float(text), LONGEST_WAIT) if text and text.isascii() and text.isdecimal() else None
