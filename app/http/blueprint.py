"""The blueprint all rooms use. Its decorators declare; flask-smorest documents what they say, `Operation` runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any, TypeVar

import flask_smorest
import marshmallow as ma
from flask import Blueprint as FlaskBlueprint
from flask import request
from flask.views import MethodView
from prometheus_client.metrics_core import Metric
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as WerkzeugResponse

from app.http import documents
from app.http.bodies import BodyArguments, QueryArguments
from app.http.envelope import EVENT_STREAM
from app.http.operations import Declared, Operation, declare
from app.http.paging import Pager, Sortable
from app.http.platform import KEY

API_PREFIX = "/api/v1"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

View = TypeVar("View", bound=Callable[..., Any])
Views = TypeVar("Views", bound=type[MethodView])
SchemaLike = ma.Schema | type[ma.Schema]


class Blueprint(flask_smorest.Blueprint):
    """The routes of one room. `name` is their tag in the documents, `description` says what they are about.

    Not `limited`, its routes are not counted by the rate limiter and ask nobody who they are: for health and documents.
    """

    def __init__(self, name: str, *, description: str = "", url_prefix: str = API_PREFIX, limited: bool = True) -> None:
        super().__init__(name, name, url_prefix=url_prefix or None, description=description)
        self.limited = limited
        self.operations: dict[tuple[str, str], Operation] = {}
        self._prepare_doc_cbks = [
            self._prepare_arguments_doc,
            self._prepare_response_doc,
            self._prepare_frame_doc,
        ]

    def tells_metrics(self, read: Callable[[Session], Iterable[Metric]]) -> None:
        """Add metrics that are read from the database when Prometheus asks."""
        self.record_once(lambda state: state.app.extensions[KEY].gauges.append(read))

    def route(self, rule: str, **options: Any) -> Callable[[Views], Views]:
        """Serve the methods of a MethodView at `rule`."""

        def register(views: Views) -> Views:
            self._add_views(rule, views, options)
            return views

        return register

    def _add_views(self, rule: str, views: type[MethodView], options: dict[str, Any]) -> None:
        endpoint = options.pop("endpoint", views.__name__)
        instance = views()
        served = [method for method in METHODS if method in (views.methods or ())]
        operations = {method: self._compile(getattr(instance, method.lower()), endpoint) for method in served}
        self.operations |= {(endpoint, method): operation for method, operation in operations.items()}
        if "GET" in operations:
            operations["HEAD"] = operations["GET"]

        def serve(**path: Any) -> WerkzeugResponse:
            return operations[request.method].answer(path)

        serve.methods = views.methods  # type: ignore[attr-defined]
        FlaskBlueprint.add_url_rule(self, rule, endpoint, serve, **options)
        self._endpoints.append(endpoint)
        self._store_endpoint_docs(endpoint, views, None, None)

    def _compile(self, view: Any, endpoint: str) -> Operation:
        guard = getattr(view, "guard", None)
        if guard is None:
            raise TypeError(f"{view.__qualname__} says neither @requires nor @public")
        declared = getattr(view, "declared", Declared())
        produces = documents.produced_types(getattr(view, "_apidoc", {}))
        operation = Operation(view, guard, declared, self.limited, produces)
        documents.note_operation(view.__func__, operation, f"{self.name.replace('-', '')}_{endpoint}")
        return operation

    def arguments(
        self, schema: SchemaLike, *, location: str = "json", walked: bool = True, **options: Any
    ) -> Callable[[View], View]:
        """Load the JSON body, or the query with `location="query"`, by `schema`; the view gets what was loaded.

        A body that is not `walked` may be large: what its schema takes as it is, the view checks.
        """
        instance = schema() if isinstance(schema, type) else schema
        source = QueryArguments(instance) if location == "query" else BodyArguments(instance, walked=walked)

        def mark(view: View) -> View:
            already = getattr(view, "declared", Declared()).arguments
            declare(view, arguments=(source, *already))
            described = {"in": location, "required": True, "schema": instance, **options}
            _docs(view).setdefault("arguments", {}).setdefault("parameters", []).append(described)
            return view

        return mark

    def takes(self, limit: str) -> Callable[[View], View]:
        """Take a body as large as the platform's setting of this name says, rather than `max_body_bytes`."""

        def mark(view: View) -> View:
            declare(view, body_limit=limit)
            return view

        return mark

    def response(
        self, status_code: int, schema: SchemaLike | None = None, *, form: dict[str, Any] | None = None, **options: Any
    ) -> Callable[[View], View]:
        """Answer with `status_code`, and with what the view returns dumped by `schema` in the envelope.

        `form` is the JSON Schema of what is no object, and goes out as it is.
        """
        instance = schema() if isinstance(schema, type) else schema

        def mark(view: View) -> View:
            declare(view, status=status_code, schema=instance, form=form)
            documents.note_response(_docs(view), status_code, instance or form, **options)
            return view

        return mark

    def raw(self, content_type: str, status_code: int = 200, **options: Any) -> Callable[[View], View]:
        """Answer with what the view returns as it is, outside of the envelope: text, bytes, or data to be JSON."""

        def mark(view: View) -> View:
            declare(view, status=status_code, raw=content_type)
            documents.note_raw(_docs(view), status_code, content_type, **options)
            return view

        return mark

    def alt_response(self, status_code: int, *, content_type: str, **options: Any) -> Callable[[View], View]:
        """Document another answer, outside of the envelope, that the view makes itself as a `Response`."""

        def mark(view: View) -> View:
            documents.note_raw(_docs(view), status_code, content_type, **options)
            return view

        return mark

    def streams(self, view: View) -> View:
        """Document that the route may answer with server-sent events, and refuse a place to resume from."""
        documents.note_raw(_docs(view), 200, EVENT_STREAM, description="The events as they happen")
        return self.refuses(422)(view)

    def upgrades(self, view: View) -> View:
        """Document that the route makes the connection a WebSocket, and refuses a request that asks for none."""
        declare(view, status=101)
        documents.note_upgrade(_docs(view))
        return self.refuses(400, 403, 426)(view)

    def refuses(self, *statuses: int) -> Callable[[View], View]:
        """Document statuses this route may refuse with beyond those its declarations imply (such as 409)."""

        def mark(view: View) -> View:
            _docs(view).setdefault("refusals", []).extend(statuses)
            return view

        return mark

    def paged(
        self,
        schema: SchemaLike,
        *,
        sort: Mapping[str, Sortable],
        default: str,
        filters: type[ma.Schema] | None = None,
        count_cap: int = 10_000,
        resumed_by: str | None = None,
    ) -> Callable[[View], View]:
        """Answer with a page of the `Select` of one entity that the view returns; the view gets the loaded filters.

        `sort` names the orders clients may ask for, `default` the one they get (`-` for descending). Totals beyond
        `count_cap` are not counted on. A filter named by `resumed_by` says where to read on; by default the oldest then
        come first.
        """
        instance = schema() if isinstance(schema, type) else schema
        pager = Pager(instance, sort, default, count_cap, filters, resumed_by)

        def mark(view: View) -> View:
            declare(view, pager=pager, schema=instance)
            docs = _docs(view)
            described = {"in": "query", "required": False, "schema": pager.arguments.schema}
            docs.setdefault("arguments", {}).setdefault("parameters", []).append(described)
            documents.note_list(docs, instance)
            return view

        return mark

    def _prepare_frame_doc(self, doc: Any, doc_info: Any, *, method: str, **_: Any) -> Any:
        return documents.complete(doc, doc_info, method)

    def doc(self, **said: Any) -> Callable[[View], View]:
        """Add to the documents what nothing else declares."""

        def mark(view: View) -> View:
            manual = _docs(view).setdefault("manual_doc", {})
            manual.update(deepcopy(said))
            return view

        return mark


def _docs(view: Any) -> dict[str, Any]:
    found: dict[str, Any] = view.__dict__.setdefault("_apidoc", {})
    return found
