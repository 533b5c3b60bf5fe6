"""Open streams end with the right to hear them: within five seconds, on a running platform, whatever took the right."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.callers import Caller, User
from tests.support.mail import mail_to, token_of
from tests.support.platform import Platform
from tests.support.websocket import Talker

PROMISED_SECONDS = 5.0
# What the test itself takes, on a busy machine.
SLACK_SECONDS = 2.0

_numbers = count(1)


@pytest.fixture
def bob(platform: Platform) -> User:
    """Somebody new, whose rights are taken."""
    return User.registered(platform.base, f"leaver{next(_numbers)}")


@pytest.fixture
def admin(platform: Platform) -> Caller:
    """The administrator of the platform."""
    known = {"username": "admin", "password": platform.environment["ADMIN_PASSWORD"]}
    return Caller(platform.base, Caller(platform.base).post("/auth/login", known).data()["access_token"])


def id_of(caller: Caller) -> str:
    return str(caller.get("/auth/me").data()["id"])


@contextmanager
def streams(platform: Platform, token: str, topic: str) -> Iterator[Callable[[], float]]:
    """Hear a topic over both protocols; what is yielded waits until both have ended, and tells how long that took."""
    place = urlsplit(platform.base)
    listener = http.client.HTTPConnection(place.netloc, timeout=PROMISED_SECONDS + SLACK_SECONDS)
    with closing(listener), Talker(int(place.port or 0), token) as talker:
        listener.request("GET", f"/api/v1/events?topics={topic}", headers={"Authorization": f"Bearer {token}"})
        reply = listener.getresponse()
        assert reply.status == 200, reply.read()
        talker.subscribe(topic)

        def ended() -> float:
            began = time.monotonic()
            reply.read()
            wait_for_end(talker)
            return time.monotonic() - began

        yield ended


def wait_for_end(talker: Talker) -> None:
    """Read until the topic, or the connection, is taken from who listens."""
    with suppress(ConnectionClosed):
        while talker.next()["type"] != "unsubscribed":
            pass


def join(platform: Platform, owner: User, guest: User, organization_id: str) -> None:
    """Let a guest confirm their address and join an organization."""
    address = guest.get("/auth/me").data()["email"]
    confirming = token_of(mail_to(platform, address, "Confirm your email address"))
    guest.post("/auth/verify-email", {"token": confirming}).data()
    wanted = {"email": address, "role": "viewer"}
    token = owner.post(f"/organizations/{organization_id}/invitations", wanted).data(201)["token"]
    guest.post(f"/organizations/invitations/{token}/accept").data()


def test_streams_of_a_removed_member_end(platform: Platform, alice: User, bob: User) -> None:
    workspace = alice.post("/workspaces", {"name": "Shared"}).data(201)
    organization = workspace["organization_id"]
    join(platform, alice, bob, organization)
    with streams(platform, bob.token, f"workspace:{workspace['id']}") as ended:
        assert alice.send("DELETE", f"/organizations/{organization}/members/{id_of(bob)}").status == 204
        assert ended() < PROMISED_SECONDS
    assert bob.get(f"/workspaces/{workspace['id']}").status == 404
    assert bob.get("/auth/me").status == 200


def test_streams_of_a_disabled_user_end(platform: Platform, bob: User, admin: Caller) -> None:
    workspace = bob.post("/workspaces", {"name": "Own"}).data(201)["id"]
    key = bob.post("/api-keys", {"name": "k", "scopes": ["workspaces:read"]}).data(201)["key"]
    topic, user_id = f"workspace:{workspace}", id_of(bob)
    with streams(platform, bob.token, topic) as ended, streams(platform, key, topic) as key_ended:
        assert admin.send("PATCH", f"/admin/users/{user_id}/disable").status == 200
        assert ended() < PROMISED_SECONDS
        assert key_ended() < PROMISED_SECONDS
    assert bob.get("/auth/me").error(403)["code"] == "ACCOUNT_DISABLED"


def test_sockets_of_a_deleted_application_and_its_users_end(platform: Platform) -> None:
    made = Caller(platform.base).post("/clients", {"name": f"Shop {next(_numbers)}"}).data(201)
    shop = Caller(platform.base, made["master_api_key"])
    ann = shop.post("/users", {"username": "ann", "email": "ann@shop.example"}).data(201)["scoped_api_key"]
    port = int(urlsplit(platform.base).port or 0)
    with Talker(port, shop.token) as master, Talker(port, ann) as user:
        assert shop.send("DELETE", "/clients/me").status == 204
        began = time.monotonic()
        for talker in (master, user):
            wait_for_end(talker)
        assert time.monotonic() - began < PROMISED_SECONDS
    assert Caller(platform.base, ann).get("/users").error(401)["code"] == "TOKEN_REVOKED"
