"""A Prometheus by its HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/), or what speaks it.

Of plain series the samples are asked as they are, by an instant query with a range; all else is worked out there, at
each step.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
import orjson

from app.kernel.addresses import AddressRules
from app.monitoring import MICRO, MOST_POINTS, MOST_SERIES, Asked, Received, SourceAccess
from tasks.gateways import (
    AnswerTooLarge,
    AnswerUnreadable,
    CertificateRefused,
    DestinationRefused,
    HttpClient,
    Reply,
    Timeouts,
    TooSlow,
    Unreachable,
)
from tasks.gateways.lookup import Keep
from tasks.monitoring.gateways.errors import QueryRefused, SourceAway, SourceRefused, TooMuch, Unreadable

SECONDS: Final = 15.0
MOST_BYTES: Final = 32 * 1024 * 1024
LONGEST_MESSAGE: Final = 300
_TIMEOUTS: Final = Timeouts(5.0, SECONDS, SECONDS, SECONDS)
# Too many samples for it to hold, or too long a time for it to work out.
_OVERLOADED: Final = ("too many samples", "timed out", "exceeded maximum resolution")


class PrometheusSource:
    """`Source` over HTTP. `step` is in seconds; `keep` is called every quarter second of waiting, and what it raises
    ends the call."""

    def __init__(
        self,
        access: SourceAccess,
        asked: Sequence[Asked],
        *,
        step: int,
        rules: AddressRules,
        keep: Keep = lambda: None,
    ) -> None:
        self._asked = asked
        self._step = step
        self._headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        self._headers |= _authorize(access)
        with _told():
            self._http = HttpClient(access.url, rules=rules, timeouts=_TIMEOUTS, keep=keep)

    def read(self, after: int, until: int) -> Received:
        received = Received()
        for one in self._asked:
            if one.is_plain and until > after:
                found = self._ask("query", query=f"{one.query}[{until - after}s]", time=until)
                _take_all(received, found, None, after, until)
            elif not one.is_plain:
                # A value at each multiple of the step, wherever a pull begins: two pulls never tell of one moment.
                first, last = (after // self._step + 1) * self._step, until // self._step * self._step
                if first <= last:
                    found = self._ask("query_range", query=one.query, start=first, end=last, step=self._step)
                    _take_all(received, found, one.name, after, until)
        return received

    def close(self) -> None:
        self._http.close()

    def _ask(self, path: str, **query: str | int) -> list[Any]:
        """Return the lines of a matrix."""
        with _told():
            body = urlencode(query).encode()
            reply = self._http.request(
                "POST", f"/api/v1/{path}", headers=self._headers, body=body, max_bytes=MOST_BYTES
            )
        if reply.status != 200:
            _refuse(reply)
        answer = _read_json(reply.body)
        data = answer.get("data")
        if answer.get("status") != "success" or not isinstance(data, dict) or data.get("resultType") != "matrix":
            raise Unreadable("The server's answer is not one of Prometheus.")
        lines = data.get("result")
        if not isinstance(lines, list):
            raise Unreadable("The server's answer holds no list of series.")
        return lines


def _authorize(access: SourceAccess) -> dict[str, str]:
    if access.token:
        return {"Authorization": f"Bearer {access.token}"}
    if access.username and access.password:
        both = f"{access.username}:{access.password}".encode()
        return {"Authorization": f"Basic {base64.b64encode(both).decode()}"}
    return {}


def _take_all(received: Received, lines: Sequence[Any], name: str | None, after: int, until: int) -> None:
    for line in lines:
        labels, times, values = _read_line(line)
        # Some servers count the beginning of a range in, others not.
        inside = (times > after * MICRO) & (times <= until * MICRO)
        named = labels.pop("__name__", "")
        if inside.any():
            received.take(name or named, labels, times[inside], values[inside])
    if len(received.series) > MOST_SERIES:
        raise TooMuch(f"The source tells of more than {MOST_SERIES} series; ask it for fewer.")
    if sum(len(one.points) for one in received.series) > MOST_POINTS:
        raise TooMuch(f"The source tells of more than {MOST_POINTS} samples at once.")


def _read_line(line: Any) -> tuple[dict[str, str], Any, Any]:
    """Return labels, times in microseconds and values of a line; one that holds histograms alone has none."""
    try:
        labels, pairs = dict(line["metric"]), line.get("values", [])
        times = np.array([float(at) for at, _ in pairs], np.float64)
        values = np.array([float(value) for _, value in pairs], np.float64)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise Unreadable("The server's answer holds series that cannot be read.") from None
    if not np.isfinite(times).all() or (np.abs(times) > 1e12).any():
        raise Unreadable("The server's answer holds impossible times.")
    return labels, np.rint(times * MICRO).astype(np.int64), values


def _read_json(body: bytes) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unreadable("The server's answer is not JSON.") from None
    if not isinstance(answer, dict):
        raise Unreadable("The server's answer is not one of Prometheus.")
    return answer


def _refuse(reply: Reply) -> None:
    """Raise what a status other than 200 says."""
    said = _error_of(reply.body)
    if any(words in said.lower() for words in _OVERLOADED):
        raise TooMuch(f"The source says: {said}")
    if reply.status in (400, 422):
        raise QueryRefused(f"The source says: {said}" if said else "")
    if reply.status == 429 or reply.status >= 500:
        raise SourceAway(f"The source answered {reply.status}.")
    if reply.status in (401, 403):
        raise SourceRefused(f"The source does not let us in: it answered {reply.status}.")
    raise SourceRefused(f"The server is no Prometheus: it answered {reply.status}.")


def _error_of(body: bytes) -> str:
    try:
        said = orjson.loads(body)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    text = said[:LONGEST_MESSAGE] if isinstance(said, str) else ""
    return "".join(one if one.isprintable() else " " for one in text)


@contextmanager
def _told() -> Iterator[None]:
    """Say in the words of sources what goes wrong on the way to one."""
    try:
        yield
    except (DestinationRefused, CertificateRefused) as error:
        raise SourceRefused(error.message) from error
    except AnswerTooLarge as error:
        raise TooMuch(error.message) from error
    except AnswerUnreadable as error:
        raise Unreadable(error.message) from error
    except TooSlow as error:
        raise SourceAway(error.message, slow=True) from error
    except Unreachable as error:
        raise SourceAway(error.message) from error
