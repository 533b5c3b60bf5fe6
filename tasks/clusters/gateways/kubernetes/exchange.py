"""Questions to an API server and what comes back: objects, lines of a stream, or errors in the words of clusters."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import orjson

from app.clusters import Access
from app.kernel.addresses import AddressRules
from app.kernel.clock import utc_now
from tasks.clusters.gateways.eks_token import make_eks_token
from tasks.clusters.gateways.kubernetes.answers import error_of, read_object
from tasks.clusters.gateways.kubernetes.base import Limits, Object
from tasks.clusters.gateways.kubernetes.errors import AnswerTooLarge, ClusterAway, ClusterRefused, NotKubernetes
from tasks.gateways import AnswerTooLarge as TooLarge
from tasks.gateways import (
    AnswerUnreadable,
    CertificateRefused,
    DestinationRefused,
    HttpClient,
    Timeouts,
    Unreachable,
    UpgradeRefused,
    WebSocket,
    make_tls,
)
from tasks.gateways.lookup import Keep

_JSON: Final = "application/json"
_ERROR_BYTES: Final = 256 * 1024
_MESSAGE_BYTES: Final = 1024 * 1024


class Exchange:
    """Speaks to one API server, as whom the access says."""

    def __init__(self, access: Access, rules: AddressRules, limits: Limits, keep: Keep) -> None:
        self._limits = limits
        self._left = limits.max_total
        self._headers = {"Accept": _JSON}
        token = access.token if access.token_maker is None else make_eks_token(access.token_maker, utc_now())
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        with told():
            self._http = HttpClient(
                access.server,
                rules=rules,
                tls=_tls_of(access),
                server_name=access.server_name,
                timeouts=Timeouts(limits.connect, limits.first_byte, limits.first_byte, limits.whole),
                keep=keep,
            )

    def call(self, method: str, path: str, body: Any = None, media_type: str = _JSON) -> Object:
        """Return the object that answers; raises a ClusterError."""
        headers = self._headers if body is None else {**self._headers, "Content-Type": media_type}
        encoded = None if body is None else orjson.dumps(body)
        with told():
            reply = self._http.request(method, path, headers=headers, body=encoded, max_bytes=self._limits.max_bytes)
        self._left -= len(reply.body)
        if self._left < 0:
            raise AnswerTooLarge(f"The server has sent more than {self._limits.max_total} bytes.")
        if not 200 <= reply.status < 300:
            raise error_of(reply.status, reply.headers, reply.body)
        return read_object(reply.body)

    def probe(self, path: str) -> bool:
        """Tell whether a path answers 200; raises a ClusterError where nothing does."""
        with told():
            reply = self._http.request("GET", path, headers=self._headers, max_bytes=_ERROR_BYTES)
        return reply.status == 200

    def lines(self, path: str, seconds: float, silence: float | None = None) -> Iterator[bytes]:
        """Yield the lines of a stream that the server ends within `seconds`; raises a ClusterError."""
        limits = self._limits
        timeouts = Timeouts(limits.connect, limits.first_byte, silence or limits.silence, seconds + limits.whole)
        with told(), self._http.stream("GET", path, headers=self._headers, timeouts=timeouts) as answer:
            if answer.status != 200:
                raise error_of(answer.status, answer.headers, answer.read(_ERROR_BYTES))
            yield from answer.lines(limits.max_line)

    def open_socket(self, path: str, protocols: Sequence[str]) -> WebSocket:
        """Open a WebSocket on a connection of its own; raises a ClusterError."""
        with told():
            return self._http.upgrade(path, headers=self._headers, protocols=protocols, max_bytes=_MESSAGE_BYTES)

    def close(self) -> None:
        """End the connection."""
        self._http.close()


def _tls_of(access: Access) -> ssl.SSLContext | None:
    if not access.server.startswith("https:"):
        return None
    return make_tls(access.ca, certificate=access.certificate, key=access.key, verify=access.verify)


@contextmanager
def told() -> Iterator[None]:
    """Say in the words of clusters what goes wrong on the way to one."""
    try:
        yield
    except (DestinationRefused, CertificateRefused) as error:
        raise ClusterRefused(error.message, **error.details) from error
    except TooLarge as error:
        raise AnswerTooLarge(error.message) from error
    except UpgradeRefused as error:
        raise error_of(error.status, error.headers, error.body[:_ERROR_BYTES]) from error
    except AnswerUnreadable as error:
        raise NotKubernetes(error.message) from error
    except Unreachable as error:
        raise ClusterAway(error.message, **error.details) from error
