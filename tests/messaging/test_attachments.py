"""Files in rooms: brought, carried by a message, and read by those who may read it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from app import jobs
from app.http import pacing
from app.kernel.db import Database
from app.kernel.store import BlobMissing, BlobStore, Stored
from app.messaging import PruneMessages
from app.messaging.models import Attachment
from app.messaging.routes import attachments as routes
from app.notifications.routes import attachments as mail_routes
from config.settings import Settings
from tests.support.clients import Holder, make_client, make_user
from tests.support.identity import data_of, error_of
from tests.support.rooms import ALL, MESSAGES, ROOMS, make_room, send
from tests.support.work import drain

PIXELS = b"\x89PNG of a parcel"


def bring(
    client: FlaskClient, by: Holder, room: str, data: bytes = PIXELS, *, attachment_id: str = "", **query: str
) -> Any:
    """Bring a file to a room; returns the reply."""
    path = f"{ROOMS}/{room}/attachments/{attachment_id or uuid4()}"
    asked = {"name": "a.png", "mime": "image/png", **query}
    return client.put(path, query_string=asked, data=data, headers=by.headers)


def carry(client: FlaskClient, by: Holder, room: str, attachment_id: str, **fields: Any) -> Any:
    """Send an image that carries a file; returns the reply."""
    body = {"room_id": room, "content": "look", "message_type": "image", "meta": {"attachment_id": attachment_id}}
    return client.post(MESSAGES, json={**body, **fields}, headers=by.headers)


def keys_in_store(database: Database) -> dict[str, str]:
    with database.transaction() as session:
        return {str(one.id): one.key for one in session.scalars(select(Attachment))}


def test_a_message_carries_a_file_and_who_may_read_it_downloads_it(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, room: str
) -> None:
    brought = data_of(bring(client, ann, room))
    assert (brought["size"], brought["mime"], brought["message_id"]) == (len(PIXELS), "image/png", None)
    assert client.get(brought["url"], headers=bob.headers).status_code == 404
    assert client.get(brought["url"], headers=ann.headers).data == PIXELS
    said = data_of(carry(client, ann, room, brought["id"], meta={"attachment_id": brought["id"], "width": 3}), 201)
    known = {"attachment_id": brought["id"], "url": brought["url"], "name": "a.png", "mime": "image/png"}
    assert said["meta"] == {**known, "size": len(PIXELS), "width": 3}
    for reader in (ann, bob, shop):
        reply = client.get(brought["url"], headers=reader.headers)
        assert (reply.data, reply.mimetype) == (PIXELS, "image/png")
    assert reply.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in reply.headers["Content-Security-Policy"]
    part = client.get(brought["url"], headers={**bob.headers, "Range": "bytes=1-3"})
    assert (part.status_code, part.data) == (206, b"PNG")


def test_to_others_a_file_does_not_exist(
    client: FlaskClient, ann: Holder, bob: Holder, cleo: Holder, room: str
) -> None:
    url = data_of(bring(client, ann, room))["url"]
    data_of(carry(client, ann, room, url.rpartition("/")[2]), 201)
    rival = make_client(client, "Rival")
    client.post(f"{ROOMS}/{room}/leave", json={}, headers=bob.headers)
    for stranger in (rival, make_user(client, rival, permissions=ALL), cleo, bob):
        assert error_of(client.get(url, headers=stranger.headers), 404)["details"]["resource_type"] == "attachment"
        assert bring(client, stranger, room).status_code == 404


def test_the_file_of_a_deleted_message_is_read_by_nobody_until_it_is_restored(
    client: FlaskClient, shop: Holder, ann: Holder, room: str
) -> None:
    brought = data_of(bring(client, ann, room))
    said = data_of(carry(client, ann, room, brought["id"]), 201)
    path = f"{MESSAGES}/{said['id']}"
    client.delete(path, headers=ann.headers)
    for reader in (ann, shop):
        assert client.get(brought["url"], headers=reader.headers).status_code == 404
    assert data_of(client.post(f"{path}/restore", headers=ann.headers))["meta"] == said["meta"]
    assert client.get(brought["url"], headers=ann.headers).data == PIXELS


def test_a_file_brought_again_is_the_same_file_and_its_id_is_nobody_else_s(
    client: FlaskClient, ann: Holder, bob: Holder, room: str
) -> None:
    chosen = str(uuid4())
    first = data_of(bring(client, ann, room, attachment_id=chosen))
    assert data_of(bring(client, ann, room, b"other", attachment_id=chosen)) == first
    assert error_of(bring(client, bob, room, attachment_id=chosen), 409)["code"] == "RESOURCE_ALREADY_EXISTS"
    rival = make_client(client, "Rival")
    elsewhere = make_room(client, rival)
    assert data_of(bring(client, rival, elsewhere, b"other", attachment_id=chosen))["size"] == 5
    assert client.get(first["url"], headers=rival.headers).data == b"other"
    assert client.get(first["url"], headers=ann.headers).data == PIXELS


def test_an_upload_that_was_overtaken_changes_nothing(
    client: FlaskClient, settings: Settings, monkeypatch: pytest.MonkeyPatch, ann: Holder, bob: Holder, room: str
) -> None:
    chosen, put = str(uuid4()), BlobStore.put_stream
    late: list[str] = []

    def overtaken(store: BlobStore, key: str, source: Any, size: int) -> Stored:
        monkeypatch.setattr(BlobStore, "put_stream", put)
        late.append(key)
        data_of(bring(client, ann, room, b"in time", attachment_id=chosen))
        data_of(carry(client, ann, room, chosen), 201)
        return put(store, key, source, size)

    monkeypatch.setattr(BlobStore, "put_stream", overtaken)
    assert bring(client, ann, room, b"too late", attachment_id=chosen).status_code == 409
    assert client.get(f"/api/v1/attachments/{chosen}", headers=bob.headers).data == b"in time"
    with pytest.raises(BlobMissing):
        BlobStore(settings.artifact_store).read(late[0])


def test_a_file_that_may_be_pruned_is_not_brought_again(
    client: FlaskClient, database: Database, ann: Holder, room: str
) -> None:
    loose, carried = (data_of(bring(client, ann, room))["id"] for _ in range(2))
    data_of(carry(client, ann, room, carried), 201)
    with database.transaction() as session:
        session.execute(text("UPDATE attachments SET created_at = now() - interval '24 hours'"))
    assert bring(client, ann, room, attachment_id=loose).status_code == 409
    assert carry(client, ann, room, loose).status_code == 422
    assert bring(client, ann, room, attachment_id=carried).status_code == 200


def test_one_application_leaves_others_room_to_upload(client: FlaskClient, ann: Holder, room: str) -> None:
    taken = routes.UPLOADS.taken
    try:
        taken[UUID(ann.said["client_id"])] = 2
        assert bring(client, ann, room).status_code == 503
        taken.clear()
        taken[uuid4()] = 2
        assert bring(client, ann, room).status_code == 200
    finally:
        taken.clear()


def test_uploads_leave_half_of_the_threads_to_all_else(client: FlaskClient, ann: Holder, room: str) -> None:
    mails = mail_routes.UPLOADS.taken
    try:
        mails[uuid4()] = 4
        assert bring(client, ann, room).status_code == 503
        mails.clear()
        mails[uuid4()] = 3
        assert bring(client, ann, room).status_code == 200
    finally:
        mails.clear()


def test_a_message_carries_what_its_sender_brought_to_the_room_and_no_other_message_carries(
    client: FlaskClient, ann: Holder, bob: Holder, room: str
) -> None:
    chosen = data_of(bring(client, ann, room))["id"]
    other = make_room(client, ann, bob)
    for by, where, which in ((bob, room, chosen), (ann, other, chosen), (ann, room, str(uuid4()))):
        refused = error_of(carry(client, by, where, which), 422)
        assert refused["errors"][0]["field"] == "meta.attachment_id"
    refused = error_of(carry(client, ann, room, chosen, message_type="video"), 422)
    assert "image/png" in refused["errors"][0]["message"]
    said = data_of(carry(client, ann, room, chosen, client_message_id="c"), 201)
    assert data_of(carry(client, ann, room, chosen, client_message_id="c"), 200) == said
    assert carry(client, ann, room, chosen).status_code == 422


def test_a_change_of_a_message_may_carry_another_file(client: FlaskClient, ann: Holder, bob: Holder, room: str) -> None:
    first, second = data_of(bring(client, ann, room)), data_of(bring(client, ann, room, b"second", name="b.png"))
    said = data_of(carry(client, ann, room, first["id"]), 201)
    path = f"{MESSAGES}/{said['id']}"
    same = data_of(client.patch(path, json={"meta": said["meta"]}, headers=ann.headers))
    assert same["meta"] == said["meta"]
    changed = data_of(client.patch(path, json={"meta": {"attachment_id": second["id"]}}, headers=ann.headers))
    assert changed["meta"]["name"] == "b.png"
    assert client.get(second["url"], headers=bob.headers).data == b"second"
    assert client.get(first["url"], headers=bob.headers).status_code == 404


@pytest.mark.parametrize(
    ("data", "query", "status"),
    [
        (b"", {}, 411),
        (b"x" * 101, {}, 413),
        (b"x", {"mime": "image"}, 422),
        (b"x", {"name": ""}, 422),
        (b"x", {"name": "a\nb"}, 422),
        (b"x", {"size": "1"}, 422),
    ],
)
def test_what_is_no_file_is_refused(
    client: FlaskClient,
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    ann: Holder,
    room: str,
    data: bytes,
    query: Mapping[str, str],
    status: int,
) -> None:
    monkeypatch.setattr(app.extensions["headrace"], "attachment_bytes", 100)
    assert bring(client, ann, room, data, **query).status_code == status


def test_an_application_keeps_so_many_bytes_and_a_silent_room_takes_none(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch, shop: Holder, ann: Holder, room: str
) -> None:
    monkeypatch.setattr(app.extensions["headrace"], "attachment_client_bytes", 100)
    assert bring(client, ann, room, b"x" * 60).status_code == 200
    assert error_of(bring(client, ann, room, b"x" * 41), 422)["code"] == "QUOTA_EXCEEDED"
    assert bring(client, shop, room, b"x" * 40).status_code == 200
    client.post(f"{ROOMS}/{room}/deactivate", json={}, headers=ann.headers)
    assert bring(client, ann, room).status_code == 409


def test_one_user_leaves_others_of_the_application_room(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch, shop: Holder, ann: Holder, bob: Holder, room: str
) -> None:
    monkeypatch.setattr(app.extensions["headrace"], "attachment_user_bytes", 100)
    chosen = str(uuid4())
    assert bring(client, ann, room, b"x" * 60, attachment_id=chosen).status_code == 200
    refused = error_of(bring(client, ann, room, b"x" * 41), 422)
    assert (refused["code"], refused["details"]["limit"]) == ("QUOTA_EXCEEDED", 100)
    assert bring(client, ann, room, b"x" * 60, attachment_id=chosen).status_code == 200
    assert bring(client, bob, room, b"x" * 100).status_code == 200
    assert bring(client, shop, room, b"x" * 101).status_code == 200


def test_who_sends_too_slowly_is_cut_off_and_holds_no_place(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, ann: Holder, room: str
) -> None:
    monkeypatch.setattr(pacing, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(pacing, "LEAST_RATE", 10**6)
    server, sender = socket.socketpair()
    with server, sender, server.makefile("rb") as body:
        sender.sendall(b"a part")
        reply = client.put(
            f"{ROOMS}/{room}/attachments/{uuid4()}",
            query_string={"name": "a.png", "mime": "image/png"},
            headers=ann.headers,
            data=b"x" * 1000,
            environ_overrides={"gunicorn.socket": server, "wsgi.input": body},
        )
    assert reply.status_code == 400
    assert not routes.UPLOADS.taken
    assert bring(client, ann, room).status_code == 200


def test_files_that_no_message_carries_go_after_a_day(
    client: FlaskClient, settings: Settings, database: Database, ann: Holder, bob: Holder, room: str
) -> None:
    kept, loose = (data_of(bring(client, ann, room)) for _ in range(2))
    data_of(carry(client, ann, room, kept["id"]), 201)
    store = BlobStore(settings.artifact_store)
    keys = keys_in_store(database)

    def prune() -> None:
        with database.transaction() as session:
            session.execute(text("UPDATE attachments SET created_at = now() - interval '26 hours'"))
            jobs.accept(session, PruneMessages())
        assert drain(database, SimpleNamespace(message_days=365, artifact_store=store)) == 1

    prune()
    assert client.get(loose["url"], headers=ann.headers).status_code == 404
    assert client.get(kept["url"], headers=bob.headers).data == PIXELS
    assert client.delete(f"{ROOMS}/{room}", headers=ann.headers).status_code == 204
    assert client.get(kept["url"], headers=ann.headers).status_code == 404
    prune()
    assert keys.keys() == {kept["id"], loose["id"]}
    for one in (kept, loose):
        with pytest.raises(BlobMissing):
            store.read(keys[one["id"]])


def test_a_file_may_still_lie_elsewhere(client: FlaskClient, ann: Holder, room: str) -> None:
    meta = {"url": "https://shop.example/a.png", "width": 1}
    assert send(client, ann, room, message_type="image", meta=meta)["meta"] == meta
    for wrong in ({}, {"width": 1}, {"attachment_id": "x"}, {"attachment_id": None}):
        body = {"room_id": room, "content": "x", "message_type": "image", "meta": wrong}
        assert client.post(MESSAGES, json=body, headers=ann.headers).status_code == 422
