"""Entity tags: replies spared, changes guarded."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.kernel.db import Database
from tests.http.conftest import As
from tests.support.toy_room import Gadget


@pytest.fixture
def path(gadget: Any) -> str:
    return f"/api/v1/gadgets/{gadget.id}"


def test_a_reply_the_caller_has_is_not_sent_again(alice: FlaskClient, path: str):
    first = alice.get(path)
    assert first.headers["ETag"].startswith('W/"')
    for known in (first.headers["ETag"], f'"other", {first.headers["ETag"]}', first.headers["ETag"][2:], "*"):
        again = alice.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]


def test_a_reply_that_changed_is_sent(alice: FlaskClient, path: str):
    tag = alice.get(path).headers["ETag"]
    assert alice.patch(path, json={"size": 9}).status_code == 200
    again = alice.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.json["data"]["size"]) == (200, 9)
    assert again.headers["ETag"] != tag


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_change_of_what_the_caller_read_is_made(alice: FlaskClient, path: str, method: str):
    tag = alice.get(path).headers["ETag"]
    body = {"json": {"size": 9}} if method == "patch" else {}
    assert alice.open(path, method=method.upper(), headers={"If-Match": tag}, **body).status_code in (200, 204)


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_change_of_what_has_changed_meanwhile_is_refused(
    alice: FlaskClient, path: str, gadget: Any, database: Database, method: str
):
    tag = alice.get(path).headers["ETag"]
    with database.transaction() as session:
        session.get_one(Gadget, gadget.id).size = 77
    body = {"json": {"size": 9}} if method == "patch" else {}
    reply = alice.open(path, method=method.upper(), headers={"If-Match": tag}, **body)
    assert (reply.status_code, reply.json["error"]["code"]) == (412, "PRECONDITION_FAILED")
    assert alice.get(path).json["data"]["size"] == 77


@pytest.mark.parametrize("tag", ['"junk"', "junk", 'W/""', '""'])
def test_a_tag_that_is_none_matches_nothing(alice: FlaskClient, path: str, tag: str):
    assert alice.patch(path, json={"size": 9}, headers={"If-Match": tag}).status_code == 412


def test_a_star_matches_whatever_is_there(alice: FlaskClient, path: str):
    assert alice.patch(path, json={"size": 9}, headers={"If-Match": "*"}).status_code == 200


def test_a_tag_tells_nothing_to_those_who_may_not_see(as_: As, alice: FlaskClient, path: str):
    tag = alice.get(path).headers["ETag"]
    assert as_("charlie").get(path, headers={"If-None-Match": tag}).status_code == 404
    assert as_("charlie").delete(path, headers={"If-Match": tag}).status_code == 404


def test_lists_have_no_tag(alice: FlaskClient, path: str):
    assert "ETag" not in alice.get("/api/v1/gadgets").headers
