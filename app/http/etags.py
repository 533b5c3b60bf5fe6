"""Entity tags. A tag says two things, `"row.reply"`: how the row was, against which `If-Match` guards a change (under
the row's lock, so that nothing can slip between), and what the reply said, against which `If-None-Match` spares one.
The reply may tell of other rows too; the row's part alone could not know of their changes.

Tags are weak and compared weakly: two replies of one resource differ at least in their request id.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson
from flask import Response, g, request
from sqlalchemy import inspect
from werkzeug.http import parse_etags

from app.kernel.errors import PreconditionFailed


def match_row(row: Any) -> None:
    """Hold `If-Match` against a row that the caller of this has locked; raises PreconditionFailed."""
    header = request.headers.get("If-Match")
    if header is None or request.method not in ("PUT", "PATCH", "DELETE"):
        return
    tags = parse_etags(header)
    known = {tag.partition(".")[0] for tag in tags.as_set(include_weak=True) if tag}
    if not tags.star_tag and _row_tag(row) not in known:
        raise PreconditionFailed


def note_row(row: Any) -> None:
    """Let the tag of this reply speak of `row`."""
    if request.method in ("GET", "HEAD"):
        g.row_tag = _row_tag(row)


def add_tag(response: Response, data: Any) -> Response:
    """Return the reply with the tag of `data`, or a 304 when the caller has it already."""
    response.set_etag(f"{g.get('row_tag', '')}.{_digest(data)}", weak=True)
    response.headers["Cache-Control"] = "private, no-cache"
    header = request.headers.get("If-None-Match")
    if header is None or not parse_etags(header).contains_weak(response.get_etag()[0] or ""):
        return response
    response.set_data(b"")
    response.status_code = 304
    del response.headers["Content-Type"], response.headers["Content-Length"]
    return response


def _row_tag(row: Any) -> str:
    # Every column, not a version or a time of change: those are right only where nobody forgot to move them on.
    state = inspect(row)
    return _digest([state.dict.get(column.key) for column in state.mapper.column_attrs])


def _digest(value: Any) -> str:
    return blake2b(orjson.dumps(value, default=repr, option=orjson.OPT_NON_STR_KEYS), digest_size=9).hexdigest()
