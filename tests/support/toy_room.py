"""A small room that uses all of the frame: gadgets, which belong to organizations."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Request
from flask.views import MethodView
from marshmallow import fields, validate
from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from app.http import (
    Blueprint,
    Reply,
    Schema,
    Timestamp,
    accepted,
    check,
    limit_rate,
    load,
    principal,
    public,
    requires,
    transaction,
)
from app.kernel.db import Base
from app.kernel.errors import AuthRequired, Permanent, Transient
from app.kernel.ids import new_id
from app.kernel.principal import Principal

# The same in every process of a parallel run.
ACME, OTHER = UUID(int=1), UUID(int=2)
READ, WRITE = frozenset({"gadgets:read"}), frozenset({"gadgets:read", "gadgets:write"})
ALICE = new_id()
CALLERS = {
    "alice": Principal(ALICE, "alice", grants={ACME: WRITE, ALICE: frozenset()}),
    "bob": Principal(new_id(), "bob", grants={ACME: READ}),
    "charlie": Principal(new_id(), "charlie", grants={OTHER: WRITE}),
    "admin": Principal(new_id(), "admin", is_admin=True),
}


class ToyBase(DeclarativeBase):
    """Its own tables: they are not the platform's."""

    type_annotation_map = Base.type_annotation_map


class Gadget(ToyBase):
    """A thing."""

    __tablename__ = "toy_gadgets"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID | None]
    created_by: Mapped[UUID | None]
    name: Mapped[str] = mapped_column(unique=True)
    size: Mapped[int | None]
    made_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


def make_table(session: Session) -> None:
    """Make the room's table, for as long as the test lasts."""
    ToyBase.metadata.create_all(session.connection())


def add_gadget(session: Session, name: str, **values: Any) -> Gadget:
    """Make a gadget of Acme."""
    gadget = Gadget(name=name, **({"organization_id": ACME} | values))
    session.add(gadget)
    session.flush()
    return gadget


def authenticate(request: Request) -> Principal:
    """Believe the name that the bearer token says."""
    caller = CALLERS.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
    if caller is None:
        raise AuthRequired
    return caller


class GadgetPart(Schema):
    """A part of a gadget."""

    name = fields.String(required=True)


class GadgetBody(Schema):
    """What makes a gadget."""

    name = fields.String(required=True, validate=validate.Length(1, 50))
    size = fields.Integer(load_default=None, allow_none=True)
    shiny = fields.Boolean()
    parts = fields.List(fields.Nested(GadgetPart))
    anything = fields.Dict()


class GadgetForm(Schema):
    """A gadget."""

    id = fields.UUID()
    organization_id = fields.UUID(allow_none=True)
    name = fields.String()
    size = fields.Integer(allow_none=True)
    made_at = Timestamp()


class GadgetFilters(Schema):
    """Which gadgets."""

    name = fields.String()
    big = fields.Boolean()
    larger_than = fields.Integer()
    sizes = fields.List(fields.Integer())


blueprint = Blueprint("toys", description="Gadgets to try the frame with")


@blueprint.route("/gadgets")
class Gadgets(MethodView):
    """All gadgets."""

    @blueprint.paged(
        GadgetForm,
        sort={"made_at": Gadget.made_at, "size": Gadget.size, "name": Gadget.name, "lower": func.lower(Gadget.name)},
        default="name",
        filters=GadgetFilters,
        count_cap=30,
    )
    @requires("gadgets:read")
    def get(self, filters: dict[str, Any]) -> Select[Gadget]:
        """List gadgets."""
        gadgets = select(Gadget)
        if "larger_than" in filters:
            gadgets = gadgets.where(Gadget.size > filters["larger_than"])
        if filters.get("big"):
            gadgets = gadgets.where(Gadget.size >= 100)
        if "sizes" in filters:
            gadgets = gadgets.where(Gadget.size.in_(filters["sizes"]))
        return gadgets

    @blueprint.arguments(GadgetBody)
    @blueprint.response(201, GadgetForm)
    @requires("gadgets:write")
    def post(self, body: dict[str, Any]) -> Gadget:
        """Make a gadget."""
        check(ACME)
        with transaction() as session:
            return add_gadget(session, body["name"], size=body["size"])


@blueprint.route("/gadgets/<uuid:gadget_id>")
class OneGadget(MethodView):
    """One gadget."""

    @blueprint.response(200, GadgetForm)
    @requires("gadgets:read")
    def get(self, gadget_id: UUID) -> Gadget:
        """Read a gadget."""
        with transaction() as session:
            return load(session, Gadget, gadget_id)

    @blueprint.arguments(GadgetBody(partial=True))
    @blueprint.response(200, GadgetForm)
    @requires("gadgets:write")
    def patch(self, body: dict[str, Any], gadget_id: UUID) -> Gadget:
        """Change a gadget."""
        with transaction() as session:
            gadget = load(session, Gadget, gadget_id, for_update=True)
            gadget.size = body["size"]
            return gadget

    @blueprint.response(204)
    @requires("gadgets:write")
    def delete(self, gadget_id: UUID) -> None:
        """Throw a gadget away."""
        with transaction() as session:
            session.delete(load(session, Gadget, gadget_id))

    @blueprint.response(202, GadgetForm)
    @requires("gadgets:write")
    def post(self, gadget_id: UUID) -> Reply:
        """Polish a gadget, which takes long."""
        with transaction() as session:
            return accepted(load(session, Gadget, gadget_id), new_id())


@blueprint.route("/organizations/<uuid:organization_id>/gadget-count")
class GadgetCount(MethodView):
    """How many gadgets an organization has."""

    @blueprint.response(200)
    @requires("gadgets:write")
    def get(self, organization_id: UUID) -> dict[str, int]:
        """Count gadgets."""
        check(organization_id)
        return {"count": 0}


@blueprint.route("/workshop")
class Workshop(MethodView):
    """The administrators' own."""

    @blueprint.response(200)
    @requires("platform:administer", platform=True)
    def get(self) -> dict[str, Any]:
        """Enter."""
        return {"caller": principal().username}


@blueprint.route("/badge")
class Badge(MethodView):
    """What is not JSON."""

    @blueprint.raw("image/svg+xml")
    @public
    def get(self) -> str:
        """Draw."""
        return "<svg/>"


@blueprint.route("/door")
class Door(MethodView):
    """Where people knock."""

    @blueprint.response(200)
    @public
    def post(self) -> dict[str, Any]:
        """Knock."""
        limit_rate("login", "Door")
        return {}


FAILURES: dict[str, Exception] = {
    "bug": RuntimeError("the password is hunter2"),
    "transient": Transient("The mill stands still.", retry_after=7),
    "permanent": Permanent("The mill is broken."),
}
STATEMENTS = {
    "range": "SELECT 99999999999::int8::int4",
    "doubled": "INSERT INTO toy_gadgets (id, name) SELECT gen_random_uuid(), 'twin' FROM generate_series(1, 2)",
    "slow": "SET LOCAL statement_timeout = 20; SELECT pg_sleep(5)",
}


@blueprint.route("/failures/<kind>")
class Failures(MethodView):
    """What can go wrong."""

    @blueprint.response(200)
    @blueprint.refuses(409, 422)
    @public
    def get(self, kind: str) -> None:
        """Fail."""
        if kind in FAILURES:
            raise FAILURES[kind]
        with transaction() as session:
            session.execute(text(STATEMENTS[kind]))
