"""An operation: what one method of one route declares, and how a request to it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import marshmallow as ma
from flask import Response, g, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import NotAcceptable
from werkzeug.wrappers import Response as WerkzeugResponse

from app.http.audit import audited_request
from app.http.bodies import Arguments
from app.http.envelope import JSON, Reply, dump_json, envelope
from app.http.etags import add_tag
from app.http.guards import Guard
from app.http.idempotency import once
from app.http.paging import Pager
from app.http.platform import platform
from app.http.problems import PROBLEM, answer

READING = ("GET", "HEAD")
# A download is of the type that it is.
ANYTHING = "*/*"


@dataclass(frozen=True, slots=True)
class Declared:
    """What the decorators of a view have said so far."""

    arguments: tuple[Arguments, ...] = ()
    status: int = 200
    schema: ma.Schema | None = None
    form: dict[str, Any] | None = None
    pager: Pager | None = None
    raw: str | None = None
    body_limit: str | None = None


def declare(view: Callable[..., Any], **said: Any) -> None:
    """Add to what is said of `view`."""
    view.declared = replace(getattr(view, "declared", Declared()), **said)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Operation:
    """A view with all that was declared of it, ready to answer.

    The frame runs what the decorators only declare, because their order on the page is not the order of events: a
    caller is known before a body is read.
    """

    view: Callable[..., Any]
    guard: Guard
    declared: Declared
    limited: bool = True
    produces: frozenset[str] = field(default=frozenset())

    def answer(self, path: Mapping[str, Any]) -> WerkzeugResponse:
        """Return the reply to the current request; `path` holds the path's parameters."""
        g.operation = self
        if self.declared.body_limit is not None:
            # One more, as everywhere: see BoundedRequest.
            request.max_content_length = getattr(platform(), self.declared.body_limit) + 1
        if self.limited:
            self.guard.admit()
        self._check_accept()
        with audited_request(self.guard.permission):
            if request.method == "POST" and not self.guard.public:
                return once(lambda: self._respond(path), answer)
            return self._respond(path)

    def _check_accept(self) -> None:
        accept = request.headers.get("Accept")
        if not accept or "*/*" in accept or "json" in accept or ANYTHING in self.produces:
            return
        if request.accept_mimetypes.best_match([JSON, PROBLEM, *self.produces]) is None:
            raise NotAcceptable(f"This answers with {', '.join(sorted({JSON, *self.produces}))}.")

    def _respond(self, path: Mapping[str, Any]) -> WerkzeugResponse:
        if self.declared.pager is not None:
            filters, asked = self.declared.pager.read()
            given = (filters,) if self.declared.pager.filters else ()
            return self.declared.pager.answer(self.view(*given, **path), asked)
        loaded = [arguments.load() for arguments in self.declared.arguments]
        result = self.view(*loaded, **path)
        if isinstance(result, WerkzeugResponse):
            return result
        return self._envelope(result) if self.declared.raw is None else self._bare(result, self.declared.raw)

    def _bare(self, result: Any, content_type: str) -> Response:
        body = result if isinstance(result, str | bytes) else dump_json(result)
        return add_tag(Response(body, self.declared.status, content_type=content_type), body)

    def _envelope(self, result: Any) -> Response:
        reply = result if isinstance(result, Reply) else Reply(result)
        status = reply.status or self.declared.status
        if status == 204:
            return Response(status=204, headers=Headers(dict(reply.headers)))
        schema = reply.schema or self.declared.schema
        data = reply.data if schema is None else schema.dump(reply.data)
        if reply.job_id is not None:
            data = data | {"job_id": str(reply.job_id)}
        response = envelope(data, status)
        response.headers.extend(reply.headers)
        return add_tag(response, data) if status == 200 and request.method in READING else response
