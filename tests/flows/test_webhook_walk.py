"""Webhooks and mails on a running platform: an event reaches its receiver at once, also past one that answers nothing,
and again where the worker is killed in the middle; so do mails."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.procfile import read_procfile
from tests.support.callers import User
from tests.support.mail import smtp_server
from tests.support.notifications import MAIL, provider
from tests.support.platform import Platform, wait_for
from tests.support.receivers import Answer, Got, Receiver, receiving
from tests.support.servers import ROOT, Servers

NAMES = ("web", "worker-deliveries", "worker-interactive", "worker-default", "relay")
QUICK = {"ALLOW_PRIVATE_ADDRESSES": "true", "WEBHOOK_TIMEOUT_SECONDS": "2", "WEBHOOK_SCHEDULE": "1,1,1,1,1"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    servers = Servers.started()
    procfile = read_procfile(ROOT / "Procfile")
    try:
        commands = {name: procfile[name] for name in NAMES}
        with Platform(tmp_path_factory.mktemp("webhooks"), servers, commands, **QUICK).running() as platform:
            yield platform
    finally:
        servers.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def listen(user: User, url: str, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = user.post("/webhooks", {"url": url, "events": ["workspace.*"], **fields}).data(201)
    return made


def after(event: threading.Event, seconds: float) -> Callable[[Got, int], Answer]:
    def wait(_got: Got, _nth: int) -> Answer:
        event.wait(seconds)
        return 200, {}, b""

    return wait


def make_workspace(user: User, name: str) -> str:
    return str(user.post("/workspaces", {"name": name}).data(201)["id"])


@pytest.mark.timeout(400)
def test_an_event_is_delivered_past_the_dead_and_again_after_a_kill(platform: Platform, receiver: Receiver) -> None:
    alice = User.registered(platform.base, "teller")
    dead = threading.Event()
    with receiving() as silent:
        silent.answer = after(dead, 60)
        made = listen(alice, receiver.url)
        listen(alice, silent.url)
        workspace = make_workspace(alice, "first")
        wait_for(lambda: receiver.got, 60)
        assert receiver.got[0].verified(made["secret"])["data"]["workspace_id"] == workspace
        for nth in range(3):
            began = time.monotonic()
            make_workspace(alice, f"next {nth}")
            wait_for(lambda: len(receiver.got) == nth + 2, 60)  # noqa: B023
            assert time.monotonic() - began < 20
        dead.set()

    held = threading.Event()
    receiver.answer = after(held, 20)
    make_workspace(alice, "in the middle")
    wait_for(lambda: len(receiver.got) == 5, 60)
    platform.kill("worker-deliveries")
    held.set()
    platform.start("worker-deliveries")
    wait_for(lambda: len(receiver.got) == 6, 120)
    assert receiver.got[4].headers["webhook-id"] == receiver.got[5].headers["webhook-id"]
    path = f"/webhooks/{made['id']}/deliveries"
    wait_for(lambda: {row["status"] for row in alice.get(path).data()} == {"succeeded"}, 60)
    (twice,) = (row for row in alice.get(path).data() if row["attempts"] == 2)
    outcomes = [one["outcome"] for one in alice.get(f"{path}/{twice['id']}").data()["attempt_log"]]
    assert outcomes == ["lost", "succeeded"]


@pytest.mark.timeout(400)
def test_of_mails_whose_worker_is_killed_each_arrives_and_what_may_have_come_twice_is_said(
    platform: Platform, tmp_path: Path
) -> None:
    alice = User.registered(platform.base, "sender")
    to = [f"user{nth}@shop.example" for nth in range(5)]
    with smtp_server(tmp_path, tls=False) as inbox:
        alice.send("PUT", "/clients/email-providers", {"providers": [provider(inbox)]}).data()
        inbox.answered = 2
        sent = alice.post("/notifications", {"to_email": to, **MAIL}).data(202)
        wait_for(lambda: len(inbox.mails) > 2, 60)
        platform.kill("worker-default")
        inbox.goes_on.set()
        platform.start("worker-default")
        path = f"/notifications/{sent['id']}"
        wait_for(lambda: alice.get(path).data()["status"] == "sent", 120)
    told = alice.get(path).data()
    assert told["recipient_counts"] == {"sent": 5}
    came = Counter((mail["To"], mail["Message-ID"]) for mail in inbox.mails)
    assert sorted(address for address, _ in came) == to
    tried = Counter(one["recipient"] for one in told["delivery_attempts"] if one["status"] == "unknown")
    assert Counter({address: count - 1 for (address, _), count in came.items()}) <= tried
    assert tried
