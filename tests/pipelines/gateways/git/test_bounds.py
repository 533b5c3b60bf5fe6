"""Git ends at its deadline, when called off, with its worker, and before it fills the disk; and it tells no secret."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.gateways import lookup
from tasks.pipelines.gateways.base import CheckoutTimedOut, GitCredentials, RepositoryTooLarge, ResolveRequest
from tasks.pipelines.gateways.git import GitSource, process
from tests.support.checkouts import MEBIBYTE, go_on, request_of
from tests.support.git_server import GitServer
from tests.support.repositories import Repository

PROMPTLY = 2.0
ROOT = Path(__file__).parents[4]


@pytest.fixture
def silent(server: GitServer, repository: Repository) -> GitServer:
    """A server that takes requests and does not answer."""
    repository.commit({"file": "text"})
    server.holds = threading.Event()
    return server


def processes_with(text: str) -> list[int]:
    """Return the processes whose command line holds the text."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and text.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until(holds: Callable[[], bool]) -> bool:
    """Wait for what must hold soon, and tell whether it does."""
    deadline = time.monotonic() + PROMPTLY
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def test_a_server_that_does_not_answer_costs_no_more_than_the_timeout(
    source: GitSource, repository: Repository, silent: GitServer, into: Path
) -> None:
    url, began = silent.url(repository.name), time.monotonic()
    with pytest.raises(CheckoutTimedOut, match="did not arrive within 1 s") as caught:
        source.checkout(request_of(url, into, timeout=1.0), go_on)
    assert time.monotonic() - began < 1 + PROMPTLY
    assert caught.value.code == "CHECKOUT_TIMED_OUT"
    assert wait_until(lambda: not processes_with(url))


def test_a_check_that_calls_off_ends_git_and_all_it_started(
    source: GitSource, repository: Repository, silent: GitServer, into: Path
) -> None:
    called_off_at = 0.0

    def call_off() -> None:
        nonlocal called_off_at
        if silent.reached.is_set():
            called_off_at = called_off_at or time.monotonic()
            raise InterruptedError("called off")

    url = silent.url(repository.name)
    with pytest.raises(InterruptedError):
        source.checkout(request_of(url, into), call_off)
    assert time.monotonic() - called_off_at < PROMPTLY
    assert wait_until(lambda: not processes_with(url))


def test_git_dies_with_its_worker(repository: Repository, silent: GitServer, into: Path) -> None:
    url = silent.url(repository.name)
    script = (
        "import sys; from pathlib import Path; from tasks.pipelines.gateways.git import GitSource;"
        "from tests.support.checkouts import go_on, request_of;"
        "GitSource(allow_file=False, allow_private_addresses=True)"
        ".checkout(request_of(sys.argv[1], Path(sys.argv[2])), go_on)"
    )
    worker = subprocess.Popen([sys.executable, "-c", script, url, str(into)], cwd=ROOT)
    try:
        assert silent.reached.wait(30)
        children = set(processes_with(url)) & set(children_of(worker.pid))
        assert children
    finally:
        worker.kill()
        worker.wait()
    assert wait_until(lambda: not children & set(processes_with(url)))


def test_a_password_is_in_no_command_line_and_no_address(
    source: GitSource, repository: Repository, silent: GitServer, into: Path
) -> None:
    silent.login = ("alice", "a-very-secret-password")
    seen: list[int] = []

    def look_around() -> None:
        if silent.reached.is_set():
            seen.extend(processes_with("a-very-secret"))
            assert processes_with(silent.url(repository.name))
            raise InterruptedError

    request = request_of(silent.url(repository.name), into, credentials=GitCredentials(*silent.login))
    with pytest.raises(InterruptedError):
        source.checkout(request, look_around)
    assert seen == []
    assert not any("secret" in request for request in silent.seen)


def test_a_look_up_that_hangs_is_called_off_too(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(lookup.socket, "getaddrinfo", lambda *_, **__: released.wait(10) and [])
    source = GitSource(allow_file=False, allow_private_addresses=False)
    began = time.monotonic()
    with pytest.raises(CheckoutTimedOut):
        source.resolve(ResolveRequest("https://slow.example/x", timeout=0.3), go_on)
    released.set()
    assert time.monotonic() - began < PROMPTLY


@pytest.mark.parametrize("file_count", [1, 300], ids=["one large file", "many small files"])
def test_a_history_over_the_limit_is_refused(
    source: GitSource, repository: Repository, url: str, into: Path, file_count: int
) -> None:
    repository.commit({f"file{number}": os.urandom(3 * MEBIBYTE // file_count) for number in range(file_count)})
    with pytest.raises(RepositoryTooLarge, match="more than the 1,048,576 bytes") as caught:
        source.checkout(request_of(url, into, max_bytes=MEBIBYTE), go_on)
    assert caught.value.code == "REPOSITORY_TOO_LARGE"


def test_a_file_that_unfolds_over_the_limit_is_refused(source: GitSource, repository: Repository, into: Path) -> None:
    repository.commit({"zeros": bytes(40 * MEBIBYTE)})
    with pytest.raises(RepositoryTooLarge):
        source.checkout(request_of(repository.url, into, max_bytes=5 * MEBIBYTE), go_on)
    assert sum(path.stat().st_size for path in into.rglob("*") if path.is_file()) <= 6 * MEBIBYTE


def test_a_tree_that_unfolds_without_end_is_refused(
    source: GitSource, repository: Repository, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MOST_MEMORY", 100 * MEBIBYTE)
    entry = f"100644 blob {repository.blob(b'small')}"
    for _ in range(10):
        tree = repository.git("mktree", given="".join(f"{entry}\t{number}\n" for number in range(10)).encode())
        entry = f"040000 tree {tree}"
    repository.git("update-ref", "refs/heads/main", repository.git("commit-tree", "-m", "A bomb", tree))
    with pytest.raises(RepositoryTooLarge, match="more memory"):
        source.checkout(request_of(repository.url, into), go_on)
