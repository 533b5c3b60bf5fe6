"""Files that come with an attempt or are kept of it, and what its tests say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from flask import Response
from flask.views import MethodView

from app.http import FILE_DOC, UploadPlaces, platform, read_large, receive_file, send_blob
from app.kernel.errors import Unavailable
from app.kernel.ids import new_id
from app.kernel.store import BlobStore, StoreAway, Stored
from app.pipelines import read_briefing, record_report
from app.runners import working
from app.runners.routes.base import ATTEMPT, by_runner, current_runner, holding, machines, refuse_unheld
from app.runners.work_schemas import FileQuerySchema, KeptFilesSchema, StoredFileSchema, read_report

MOST_REPORT: Final = 64 * 1024**2
SOON: Final = {"Retry-After": "2"}
UPLOADS = UploadPlaces()
# A report takes many times its size while it is read.
REPORTS = threading.BoundedSemaphore(1)


@machines.route(f"{ATTEMPT}/artifacts/<path:key>")
class NeededArtifact(MethodView):
    """A file that an earlier stage kept."""

    @machines.raw("application/octet-stream")
    @machines.refuses(409)
    @by_runner
    def get(self, key: str, **place: Any) -> Response:
        """Download an artifact of a stage that this one depends on"""
        with holding(place) as (session, held):
            kept = working.find_needed(session, held.stage, key)
        store = BlobStore(platform().artifact_store)
        return send_blob(store, kept.key, name="artifact", size=kept.size, etag=kept.sha256)


@machines.route(f"{ATTEMPT}/files")
class KeptFile(MethodView):
    """A file to keep."""

    @machines.arguments(FileQuerySchema, location="query")
    @machines.response(200, StoredFileSchema)
    @machines.refuses(409, 411, 413)
    @machines.doc(**FILE_DOC)
    @by_runner
    def put(self, query: dict[str, Any], **place: Any) -> dict[str, Any]:
        """Upload a file that the stage keeps; it is seen once POST `/artifacts` names it"""
        with holding(place) as (session, held):
            briefing = read_briefing(session, held.stage)
        key = f"{briefing.execution_id}/{new_id()}"
        stored = store_upload(place, key)
        held_as = working.name_attempt(place["job_id"], place["attempt"])
        return {"file": working.seal_file(platform().vault, held_as, briefing, query, key, stored)}


@machines.route(f"{ATTEMPT}/artifacts")
class KeptFiles(MethodView):
    """All that the attempt keeps."""

    @machines.arguments(KeptFilesSchema)
    @machines.response(204)
    @by_runner
    def post(self, body: dict[str, Any], **place: Any) -> None:
        """Let uploaded files be seen, in the place of what earlier attempts of the stage kept"""
        held_as = working.name_attempt(place["job_id"], place["attempt"])
        with holding(place) as (session, held):
            briefing = read_briefing(session, held.stage)
            gone = working.keep_files(session, platform().vault, held_as, briefing, body["files"])
        delete_blobs(gone)


@machines.route(f"{ATTEMPT}/report")
class TestReport(MethodView):
    """What tests say."""

    @machines.response(204)
    @machines.refuses(413)
    @machines.doc(**FILE_DOC)
    @by_runner
    def post(self, **place: Any) -> None:
        """Record the tests of the stage's reports, as JSON: `{cases: […], faults: […]}`; sent again it replaces them"""
        refuse_unheld(place)
        body = read_large(MOST_REPORT)
        with _alone():
            cases, faults = read_report(body)
            with holding(place) as (session, held):
                working.reserve(session, held.stage, len(body), platform().runner_bytes)
                record_report(session, read_briefing(session, held.stage), cases, faults)


def store_upload(place: dict[str, Any], key: str) -> Stored:
    """Store the request's body under `key`, with no session open; raises Unavailable while others are at it."""
    source, size = receive_file(platform().runner_bytes)
    with holding(place) as (session, held):
        working.reserve(session, held.stage, size, platform().runner_bytes)
    with UPLOADS.take(current_runner().organization_id):
        return BlobStore(platform().artifact_store).put_stream(key, source, size)


def delete_blobs(keys: list[str]) -> None:
    """Delete what nobody can reach any more; what a store that is away keeps is only room."""
    store = BlobStore(platform().artifact_store)
    for key in keys:
        try:
            store.delete(key)
        except StoreAway:
            return


@contextmanager
def _alone() -> Iterator[None]:
    if not REPORTS.acquire(blocking=False):
        raise Unavailable("Another report is read; try again soon.", headers=SOON)
    try:
        yield
    finally:
        REPORTS.release()
