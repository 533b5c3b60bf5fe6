"""Client applications: registered by anybody, kept by themselves, watched by administrators."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.http import (
    Blueprint,
    Reply,
    limit_rate,
    match_row,
    note_row,
    own_client,
    platform,
    public,
    requires,
    transaction,
)
from app.identity import clients as service
from app.identity.client_keys import give_client_key
from app.identity.errors import RegistrationClosed
from app.identity.models import Client
from app.identity.schemas import clients as schemas
from app.kernel.audit import concern

clients = Blueprint("clients", description="Client applications, which use the platform for users of their own")

SORT = {"created_at": Client.created_at, "name": Client.name}
ONE = "/admin/clients/<uuid:client_id>"


@clients.route("/clients")
class Clients(MethodView):
    """Applications are registered here."""

    @clients.arguments(schemas.ClientReplacement)
    @clients.response(201, schemas.ClientShown)
    @clients.refuses(401, 403, 409)
    @public
    def post(self, body: dict[str, Any]) -> Reply:
        """Register an application; the master key is shown this one time

        Where registration is closed, administrators register applications, with their own token.
        """
        _refuse_closed()
        limit_rate("client")
        with transaction() as session:
            return _show(*service.register_client(session, platform().vault, body))


@clients.route("/clients/me")
class OwnClient(MethodView):
    """The application whose key the caller has."""

    @clients.response(200, schemas.Client)
    @requires("clients:read", client=True)
    def get(self) -> Client:
        """The application, without its key"""
        with transaction() as session:
            return _load_own(session)

    @clients.arguments(schemas.ClientReplacement)
    @clients.response(200, schemas.Client)
    @clients.refuses(409)
    @requires("clients:write", client=True)
    def put(self, body: dict[str, Any]) -> Client:
        """Replace name, description, contact address and settings"""
        with transaction() as session:
            return service.change_client(session, _load_own(session), body)

    @clients.arguments(schemas.ClientChange)
    @clients.response(200, schemas.Client)
    @clients.refuses(409)
    @requires("clients:write", client=True)
    def patch(self, body: dict[str, Any]) -> Client:
        """Change some of name, description, contact address and settings"""
        with transaction() as session:
            return service.change_client(session, _load_own(session), body)

    @clients.response(204)
    @requires("clients:write", client=True)
    def delete(self) -> None:
        """Delete the application with its users and all that is theirs; no key of theirs lets in any more"""
        with transaction() as session:
            service.delete_client(session, _load_own(session))


@clients.route("/clients/regenerate-key")
class OwnKey(MethodView):
    """Another master key."""

    @clients.response(200, schemas.ClientShown)
    @requires("clients:write", client=True)
    def post(self) -> Reply:
        """Give the application another master key, shown this one time; the one before fails from now on"""
        with transaction() as session:
            client = _load_own(session)
            return _show(client, give_client_key(session, platform().vault, client))


@clients.route("/admin/clients")
class AllClients(MethodView):
    """All applications."""

    @clients.paged(schemas.Client, sort=SORT, default="-created_at", filters=schemas.ClientFilters)
    @requires("platform:administer", platform=True)
    def get(self, filters: dict[str, Any]) -> Select[Client]:
        """All client applications, newest first"""
        return service.filter_clients(filters)


@clients.route(ONE)
class OneClient(MethodView):
    """An application."""

    @clients.response(200, schemas.Client)
    @requires("platform:administer", platform=True)
    def get(self, client_id: UUID) -> Client:
        """A client application"""
        with transaction() as session:
            return _load(session, client_id)


@clients.route(f"{ONE}/disable")
class ClientDisabling(MethodView):
    """Locking out."""

    @clients.response(200, schemas.Client)
    @clients.refuses(409)
    @requires("platform:administer", platform=True)
    def patch(self, client_id: UUID) -> Client:
        """Disable an application: neither its key nor those of its users let in, and streams end within seconds"""
        with transaction() as session:
            return service.disable_client(session, _load(session, client_id))


@clients.route(f"{ONE}/enable")
class ClientEnabling(MethodView):
    """Letting in again."""

    @clients.response(200, schemas.Client)
    @clients.refuses(409)
    @requires("platform:administer", platform=True)
    def patch(self, client_id: UUID) -> Client:
        """Enable an application; the keys it had let in again"""
        with transaction() as session:
            return service.enable_client(session, _load(session, client_id))


@clients.route(f"{ONE}/plan")
class PlanOfClient(MethodView):
    """What an application may have."""

    @clients.arguments(schemas.ClientPlan)
    @clients.response(200, schemas.Client)
    @requires("platform:administer", platform=True)
    def put(self, body: dict[str, Any], client_id: UUID) -> Client:
        """Give an application another plan, which says how many users it may have"""
        with transaction() as session:
            return service.change_client(session, _load(session, client_id), body)


def _refuse_closed() -> None:
    if platform().registration_open:
        return
    if not platform().authenticate(request).may("platform:administer"):
        raise RegistrationClosed("Registration is closed here; ask an administrator to register the application.")


def _load_own(session: Session) -> Client:
    return _load(session, own_client())


def _load(session: Session, client_id: UUID) -> Client:
    client = service.load_client(session, client_id, for_update=request.method not in ("GET", "HEAD"))
    concern(session, "client", client_id, None)
    match_row(client)
    note_row(client)
    session.refresh(client, ["key"])
    return client


def _show(client: Client, text: str) -> Reply:
    shown = {name: getattr(client, name) for name in schemas.Client().fields}
    return Reply(shown | {"master_api_key": text}, headers={"Cache-Control": "no-store"})
