"""Downloads: what a store keeps goes out as it is, whole or by ranges, and never as a page of this origin."""

from __future__ import annotations

import unicodedata
from contextlib import ExitStack
from urllib.parse import quote

from flask import Response, request
from werkzeug.wsgi import FileWrapper

from app.kernel.errors import NotFound
from app.kernel.store import BLOCK, BlobMissing, BlobStore

# What a pipeline kept may be a hostile page: it is to be saved, and if it is shown it is nobody.
ALONE = "default-src 'none'; sandbox"


def send_blob(
    store: BlobStore, key: str, *, name: str, size: int, etag: str, content_type: str = "application/octet-stream"
) -> Response:
    """Return the reply that carries a blob of `size` bytes to be saved as `name`; honours Range and If-None-Match.

    Raises NotFound when the store has lost it, Transient when the store is away.
    """
    with ExitStack() as closing:
        try:
            blob = closing.enter_context(store.open(key))
        except BlobMissing as error:
            raise NotFound("This is not in the store any more.") from error
        # Not `direct_passthrough`: such a response is dropped before it is sent, and what it holds open is closed.
        response = Response(FileWrapper(blob, BLOCK), content_type=content_type)
        response.headers["Content-Disposition"] = _as_attachment(name)
        response.headers["Content-Security-Policy"] = ALONE
        response.headers["Cache-Control"] = "private, no-cache"
        response.content_length = size
        response.set_etag(etag)
        response.make_conditional(request, accept_ranges=True, complete_length=size)
        response.call_on_close(closing.pop_all().close)
    return response


def _as_attachment(name: str) -> str:
    """Return the Content-Disposition of RFC 6266, with a plain form of the name for old clients."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = "".join(letter for letter in plain if letter.isprintable() and letter not in '"\\') or "download"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
