"""Lists: pages, cursors, orders, and what they refuse."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask.testing import FlaskClient

from app.http.cursors import write_cursor
from app.kernel.db import Database
from tests.support import toy_room

PATH = "/api/v1/gadgets"
ORDERS = [sign + name for name in ("made_at", "size", "name", "lower") for sign in ("", "-")]


@pytest.fixture
def gadgets(database: Database, toy: Any) -> list[str]:
    """Twenty-five gadgets: some sizes are the same, some are unknown."""
    with database.transaction() as session:
        for number in range(25):
            size = None if number % 7 == 3 else number % 5
            toy_room.add_gadget(session, f"{'Gg'[number % 2]}adget {number:02}", size=size)
    return [f"{'Gg'[number % 2]}adget {number:02}" for number in range(25)]


def names(reply: Any) -> list[str]:
    assert reply.status_code == 200, reply.json
    return [row["name"] for row in reply.json["data"]]


def links(reply: Any) -> dict[str, str]:
    found = {}
    for link in filter(None, reply.headers["Link"].split(", ")):
        target, relation = link.split("; ")
        found[relation.removeprefix('rel="').removesuffix('"')] = target.strip("<>")
    return found


def test_a_list_begins_with_its_first_page_in_its_own_order(alice: FlaskClient, gadgets: list[str]):
    reply = alice.get(PATH)
    assert names(reply) == sorted(gadgets)[:20]
    assert reply.json["meta"]["pagination"] == {
        "page": 1,
        "limit": 20,
        "total": 25,
        "total_capped": False,
        "pages": 2,
        "has_next": True,
        "has_prev": False,
        "next_cursor": reply.json["meta"]["pagination"]["next_cursor"],
    }


def test_an_empty_list_is_one_empty_page(alice: FlaskClient):
    reply = alice.get(PATH)
    assert names(reply) == []
    assert reply.json["meta"]["pagination"]["total"] == 0
    assert reply.json["meta"]["pagination"]["next_cursor"] is None
    assert set(links(reply)) == {"first", "last"}


@pytest.mark.parametrize("size", ["limit=10", "per_page=10", "size=10", "limit=10&size=10"])
def test_the_size_of_a_page_has_three_names(alice: FlaskClient, gadgets: list[str], size: str):
    assert names(alice.get(f"{PATH}?page=3&{size}")) == sorted(gadgets)[20:]


def test_a_page_beyond_the_end_is_empty(alice: FlaskClient, gadgets: list[str]):
    reply = alice.get(f"{PATH}?page=1000000&limit=100")
    assert names(reply) == []
    assert reply.json["meta"]["pagination"]["has_next"] is False


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [1, 4, 25])
def test_pages_and_cursors_give_the_same_list_in_every_order(
    alice: FlaskClient, gadgets: list[str], order: str, limit: int
):
    whole = names(alice.get(f"{PATH}?sort={order}&limit=100"))
    assert sorted(whole) == sorted(gadgets)
    walked, cursor = [], None
    while True:
        reply = alice.get(PATH, query_string={"sort": order, "limit": limit} | ({"cursor": cursor} if cursor else {}))
        walked += names(reply)
        cursor = reply.json["meta"]["pagination"]["next_cursor"]
        if cursor is None:
            break
    assert walked == whole


@pytest.mark.parametrize(("asked", "same"), [("sort=size&order=desc", "-size"), ("sort=size&order=asc", "size")])
def test_an_order_may_be_given_by_sign_or_by_word(alice: FlaskClient, gadgets: list[str], asked: str, same: str):
    assert names(alice.get(f"{PATH}?{asked}")) == names(alice.get(f"{PATH}?sort={same}"))


def test_a_cursor_is_not_moved_by_rows_written_before_it(alice: FlaskClient, gadgets: list[str], database: Database):
    first = alice.get(f"{PATH}?limit=5")
    with database.transaction() as session:
        toy_room.add_gadget(session, "AAA")
    cursor = first.json["meta"]["pagination"]["next_cursor"]
    second = alice.get(f"{PATH}?limit=5&cursor={cursor}")
    assert names(first) + names(second) == sorted(gadgets)[:10]
    pagination = second.json["meta"]["pagination"]
    assert (pagination["page"], pagination["total"], pagination["pages"]) == (None, None, None)
    assert (pagination["has_next"], pagination["has_prev"]) == (True, True)


def test_links_lead_through_the_list_with_its_filters(alice: FlaskClient, gadgets: list[str]):
    reply = alice.get(f"{PATH}?limit=5&page=2&larger_than=0")
    found = links(reply)
    assert set(found) == {"first", "prev", "next", "last"}
    assert dict(parse_qsl(urlsplit(found["next"]).query)) == {"limit": "5", "larger_than": "0", "page": "3"}
    seen = names(alice.get(found["first"]))
    assert seen == names(alice.get(found["prev"]))
    assert "next" not in links(alice.get(found["last"]))


def test_a_cursor_leads_on_by_its_link(alice: FlaskClient, gadgets: list[str]):
    cursor = alice.get(f"{PATH}?limit=10").json["meta"]["pagination"]["next_cursor"]
    second = alice.get(f"{PATH}?limit=10&cursor={cursor}")
    assert names(alice.get(links(second)["next"])) == sorted(gadgets)[20:]


def test_what_is_too_much_to_count_is_said_to_be_more(alice: FlaskClient, gadgets: list[str], database: Database):
    with database.transaction() as session:
        for number in range(10):
            toy_room.add_gadget(session, f"more {number}")
    reply = alice.get(f"{PATH}?limit=10")
    pagination = reply.json["meta"]["pagination"]
    assert (pagination["total"], pagination["total_capped"], pagination["pages"]) == (30, True, 3)
    assert "last" not in links(reply)
    assert len(names(alice.get(f"{PATH}?limit=10&page=4"))) == 5


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=9999999", "page"),
        ("page=" + "9" * 30, "page"),
        ("page=one", "page"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("size=101", "size"),
        ("limit=10&per_page=20", "limit"),
        ("sort=color", "sort"),
        ("sort=size,name", "sort"),
        ("sort=--size", "sort"),
        ("sort=", "sort"),
        ("order=up", "order"),
        ("sort=-size&order=asc", "order"),
        ("offset=5", "offset"),
        ("cursor=", "cursor"),
        ("cursor=junk", "cursor"),
        ("cursor=%F0%9F%A5%81", "cursor"),
        ("cursor=" + "A" * 3000, "cursor"),
        ("page=1&cursor=W10", "cursor"),
    ],
)
def test_a_page_that_cannot_be_is_refused(alice: FlaskClient, query: str, field: str):
    reply = alice.get(f"{PATH}?{query}")
    assert reply.status_code == 422
    assert [fault["field"] for fault in reply.json["error"]["errors"]] == [field]


ID = toy_room.ACME
FORGED = [
    ["size", False, 1, ID],
    ["name", True, "x", ID],
    ["name", False],
    ["name", False, "x"],
    ["name", False, "x", ID, 1],
    ["name", False, 5, ID],
    ["name", False, None, ID],
    ["name", False, "a\0b", ID],
    ["name", False, "x", "not a uuid"],
    ["name", False, "x", ["u", "not a uuid"]],
    ["name", False, "x", ["?", "x"]],
    ["name", False, {"a": 1}, ID],
    ["name", False, ["t", "2026-01-01T00:00:00"], ID],
]


@pytest.mark.parametrize("content", FORGED, ids=repr)
def test_a_forged_cursor_is_refused(alice: FlaskClient, content: list[Any]):
    sort, descending, *values = content
    reply = alice.get(PATH, query_string={"cursor": write_cursor(sort, descending, values)})
    assert reply.status_code == 422
    assert reply.json["error"]["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize("value", [2**80, 1.5, True, "1", 2**40])
def test_a_forged_number_is_refused(alice: FlaskClient, value: Any):
    reply = alice.get(
        PATH,
        query_string={
            "sort": "size",
            "cursor": write_cursor("size", False, [float(value) if value == 2**80 else value, ID]),
        },
    )
    assert reply.status_code == 422
