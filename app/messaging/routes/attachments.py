"""Attachments: brought to a room, and downloaded by those who may read it."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from flask import Response
from flask.views import MethodView

from app.http import (
    FILE_DOC,
    UploadPlaces,
    limit_caller,
    own_client,
    platform,
    principal,
    receive_file,
    requires,
    send_blob,
    transaction,
)
from app.kernel.errors import FieldError, Invalid, Refusal
from app.kernel.store import BlobStore
from app.messaging import attachments as service
from app.messaging.models import Attachment
from app.messaging.routes.base import messages, rooms
from app.messaging.schemas import attachments as schemas

UPLOADS: Final = UploadPlaces()


@rooms.route("/rooms/<uuid:room_id>/attachments/<uuid:attachment_id>")
class OneUpload(MethodView):
    """A file that is brought to a room."""

    @rooms.arguments(schemas.AttachmentQuery, location="query")
    @rooms.response(200, schemas.Attachment)
    @rooms.refuses(403, 404, 409, 411, 413)
    @rooms.doc(**FILE_DOC)
    @requires("messages:write", client=True)
    def put(self, query: dict[str, Any], room_id: UUID, attachment_id: UUID) -> Attachment:
        """Bring a file to a room, under an id that you choose: a message carries it by `meta.attachment_id`"""
        limit_caller("message")
        return _bring(room_id, attachment_id, query)


@messages.route("/attachments/<uuid:attachment_id>")
class OneDownload(MethodView):
    """A file that a message carries."""

    @messages.raw("*/*")
    @messages.refuses(404)
    @requires("messages:read", client=True)
    def get(self, attachment_id: UUID) -> Response:
        """Download a file, for who may read its message; ranges are honoured"""
        with transaction() as session:
            found = service.load_attachment(session, principal(), attachment_id)
        store = BlobStore(platform().artifact_store)
        about = {"name": found.name, "content_type": found.mime}
        return send_blob(store, found.key, size=found.size, etag=found.sha256 or "", **about)


def _bring(room_id: UUID, attachment_id: UUID, query: dict[str, Any]) -> Attachment:
    """Store the request's body, with no session open."""
    source, size = receive_file(platform().attachment_bytes)
    if not size:
        raise Invalid(errors=[FieldError("body", "Is empty.")])
    brought = service.Brought(attachment_id, query["name"], query["mime"], size)
    bounds = service.Bounds(platform().attachment_client_bytes, platform().attachment_user_bytes)
    with transaction() as session:
        found = service.reserve(session, principal(), room_id, brought, bounds)
    if found.sha256 is not None:
        return found
    store = BlobStore(platform().artifact_store)
    with UPLOADS.take(own_client()):
        stored = store.put_stream(found.key, source, size)
    try:
        with transaction() as session:
            return service.note_stored(session, found, stored)
    except Refusal:
        store.delete(found.key)
        raise
