"""Lists: pages by number or by key, in one documented order, with a total that never costs a full count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import marshmallow as ma
from flask import Response, request
from marshmallow import fields, validate
from sqlalchemy import ColumnElement, Select, func, inspect, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.http.bodies import QueryArguments
from app.http.cursors import Position, after, read_cursor, write_cursor
from app.http.envelope import envelope
from app.http.platform import transaction
from app.http.schemas import Schema
from app.kernel.errors import FieldError, Invalid

DEFAULT_LIMIT = 20
MOST_ROWS = 100
LAST_PAGE = 1_000_000
GRAMMAR = ("page", "limit", "per_page", "size", "cursor", "sort", "order")

Sortable = InstrumentedAttribute[Any] | ColumnElement[Any]


class PageArguments(Schema):
    """What every list takes beside its filters."""

    page = fields.Integer(validate=validate.Range(1, LAST_PAGE), metadata={"description": "Counts from 1"})
    limit = fields.Integer(validate=validate.Range(1, MOST_ROWS), metadata={"description": "Rows of a page"})
    per_page = fields.Integer(validate=validate.Range(1, MOST_ROWS), metadata={"description": "The same as `limit`"})
    size = fields.Integer(validate=validate.Range(1, MOST_ROWS), metadata={"description": "The same as `limit`"})
    cursor = fields.String(
        validate=validate.Length(1, 2000),
        metadata={"description": "`next_cursor` of a reply: walks the list by key, stable while rows are written"},
    )
    order = fields.String(
        validate=validate.OneOf(["asc", "desc"]), metadata={"description": "Direction of a `sort` without sign"}
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page is asked for, of the list in which order."""

    sort: str
    descending: bool
    limit: int
    page: int = 1
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a list and what its `meta.pagination` says."""

    rows: list[Any]
    pagination: Mapping[str, Any]


@dataclass(slots=True)
class Pager:
    """One route's list: its row schema, its orders, its filters and how far it counts."""

    schema: ma.Schema
    sort: Mapping[str, Sortable]
    default: str
    count_cap: int
    filters: type[ma.Schema] | None = None
    resumed_by: str | None = None
    arguments: QueryArguments = field(init=False)

    def __post_init__(self) -> None:
        names = sorted([*self.sort, *(f"-{name}" for name in self.sort)], key=lambda name: name.lstrip("-"))
        sort = fields.String(
            validate=validate.OneOf(names),
            metadata={"description": f"Field to sort by, `-` for descending; `{self.default}` unless given"},
        )
        bases = (self.filters, PageArguments) if self.filters else (PageArguments,)
        self.arguments = QueryArguments(type("ListArguments", bases, {"sort": sort})())

    def read(self) -> tuple[dict[str, Any], Asked]:
        """Return the filters and the page that the query asks for; raises Invalid."""
        given = self.arguments.load()
        grammar = {name: given.pop(name) for name in GRAMMAR if name in given}
        if self.resumed_by in given and "sort" not in grammar:
            grammar["sort"] = self.default.lstrip("-")
        return given, self._ask(grammar)

    def _ask(self, grammar: dict[str, Any]) -> Asked:
        sort = grammar.get("sort", self.default)
        descending = sort.startswith("-") or grammar.get("order") == "desc"
        if sort.startswith("-") and grammar.get("order") == "asc":
            raise Invalid(errors=[FieldError("order", "Contradicts the sign of sort.")])
        sizes = {grammar[name] for name in ("limit", "per_page", "size") if name in grammar}
        if len(sizes) > 1:
            raise Invalid(errors=[FieldError("limit", "Is given twice, and not the same.")])
        asked = Asked(sort.lstrip("-"), descending, sizes.pop() if sizes else DEFAULT_LIMIT, grammar.get("page", 1))
        if "cursor" not in grammar:
            return asked
        if "page" in grammar:
            raise Invalid(errors=[FieldError("cursor", "Goes without page.")])
        position = read_cursor(grammar["cursor"], asked.sort, asked.descending)
        return Asked(asked.sort, asked.descending, asked.limit, position=position)

    def answer(self, rows: Select[Any], asked: Asked) -> Response:
        """Return the reply for the asked page of `rows`, read in a transaction of its own."""
        with transaction() as session:
            page = self.fetch(session, rows, asked)
            data = self.schema.dump(page.rows, many=True)
        response = envelope(data, pagination=page.pagination)
        response.headers["Link"] = _links(asked, page.pagination)
        return response

    def fetch(self, session: Session, rows: Select[Any], asked: Asked) -> Page:
        """Read one row more than asked: whether there are more is known without counting."""
        keys: list[Sortable] = [self.sort[asked.sort], *_primary_key(rows)]
        ordered = rows.add_columns(*keys).order_by(None)
        ordered = ordered.order_by(*(key.desc() if asked.descending else key.asc() for key in keys))
        if asked.position is not None:
            ordered = ordered.where(after(keys, asked.position, descending=asked.descending))
        else:
            ordered = ordered.offset((asked.page - 1) * asked.limit)
        found = session.execute(ordered.limit(asked.limit + 1)).all()
        more = len(found) > asked.limit
        found = found[: asked.limit]
        cursor = write_cursor(asked.sort, asked.descending, found[-1][1:]) if more else None
        total = self._count(session, rows) if asked.position is None else None
        return Page([row[0] for row in found], _pagination(asked, total, self.count_cap, more, cursor))

    def _count(self, session: Session, rows: Select[Any]) -> int:
        some = rows.with_only_columns(literal(1), maintain_column_froms=True).order_by(None).limit(self.count_cap + 1)
        return session.execute(select(func.count()).select_from(some.subquery())).scalar_one()


def _primary_key(rows: Select[Any]) -> list[Sortable]:
    entity = rows.column_descriptions[0]["entity"]
    mapper = inspect(entity)
    return [getattr(entity, mapper.get_property_by_column(column).key) for column in mapper.mapper.primary_key]


def _pagination(asked: Asked, total: int | None, cap: int, more: bool, cursor: str | None) -> dict[str, Any]:
    capped = total is not None and total > cap
    counted = min(total, cap) if total is not None else None
    walking = asked.position is not None
    return {
        "page": None if walking else asked.page,
        "limit": asked.limit,
        "total": counted,
        "total_capped": capped,
        "pages": None if counted is None else -(-counted // asked.limit),
        "has_next": more,
        "has_prev": walking or asked.page > 1,
        "next_cursor": cursor,
    }


def _links(asked: Asked, pagination: Mapping[str, Any]) -> str:
    """Return the Link header of RFC 8288; addresses are relative, so that they hold behind any proxy."""
    targets: dict[str, dict[str, Any]] = {"first": {"page": 1} if asked.position is None else {}}
    if asked.position is not None:
        if pagination["has_next"]:
            targets["next"] = {"cursor": pagination["next_cursor"]}
    else:
        if asked.page > 1:
            targets["prev"] = {"page": asked.page - 1}
        if pagination["has_next"]:
            targets["next"] = {"page": asked.page + 1}
        if not pagination["total_capped"]:
            targets["last"] = {"page": max(1, pagination["pages"])}
    kept = [(name, value) for name, value in request.args.items(multi=True) if name not in ("page", "cursor")]
    return ", ".join(
        f'<{request.path}?{urlencode([*kept, *target.items()])}>; rel="{relation}"'
        for relation, target in targets.items()
    )
