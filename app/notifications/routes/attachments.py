"""Files that mails carry."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from flask.views import MethodView

from app.http import FILE_DOC, UploadPlaces, platform, receive_file, requires, transaction
from app.kernel.errors import NotFound
from app.kernel.store import BlobStore
from app.notifications import attachment_schemas as schemas
from app.notifications import attachments
from app.notifications.models import MailAttachment
from app.notifications.providers import owner_of
from app.notifications.routes.base import blueprint, find_owner

UPLOADS: Final = UploadPlaces()
# So that one that is somewhat too large is told by its field, and none is read for long that is not kept.
MOST_READ: Final = 64 * 1024**2


@blueprint.route("/notifications/attachments/<uuid:file_id>")
class NotificationAttachment(MethodView):
    """A file."""

    @blueprint.arguments(schemas.AttachmentQuery, location="query")
    @blueprint.response(200, schemas.AttachmentSchema)
    @blueprint.refuses(404, 409, 411, 413, 503)
    @blueprint.doc(**FILE_DOC)
    @requires("notifications:write")
    def put(self, query: dict[str, Any], file_id: UUID) -> MailAttachment:
        """Bring a file for mails, under an id that you choose; notifications name it in `attachments`"""
        with transaction() as session:
            owner = find_owner(session, query.pop("organization_id", None))
            source, size = receive_file(MOST_READ)
            brought = attachments.Brought(file_id, **query, size=size)
            found = attachments.reserve(session, owner, brought)
        return found if found.sha256 is not None else _store(found, source)


def _store(found: MailAttachment, source: Any) -> MailAttachment:
    """Store the request's body, with no session open."""
    store = BlobStore(platform().artifact_store)
    (owner_id,) = owner_of(found).values()
    with UPLOADS.take(owner_id):
        stored = store.put_stream(found.key, source, found.size)
    try:
        with transaction() as session:
            return attachments.note_stored(session, found.id, stored)
    except NotFound:
        store.delete(found.key)
        raise
