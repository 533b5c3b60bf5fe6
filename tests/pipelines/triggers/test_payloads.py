"""What the hosts' own examples read as, and that no payload, however hostile, makes a parser fail."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.pipelines.triggers import HOSTS, MalformedPayload, read_payload
from app.pipelines.triggers.payload import FORM, Payload
from tests.support.deliveries import EVENTS, JSON, changed, event_headers, parsed, payload

COMMIT = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("github_ping", {"kind": "ping", "repository": "Octocoders/Hello-World"}),
        (
            "github_push",
            {
                "kind": "push",
                "branch": "master",
                "commit": COMMIT,
                "changed": ("README.md",),
                "changed_complete": False,
                "message": "Initial commit",
                "repository": "Codertocat/Hello-World",
                "fork": False,
            },
        ),
        ("github_push_tag", {"kind": "tag", "tag": "simple-tag", "branch": None, "commit": COMMIT}),
        ("github_push_deleted", {"kind": "ignored", "reason": "The tag was deleted."}),
        (
            "github_pull_request_opened",
            {
                "kind": "pull_request",
                "action": "opened",
                "number": 2,
                "branch": "changes",
                "base_branch": "master",
                "commit": "ec26c3e57ca3a959ca5aad62de7213c562f8c821",
                "fetch_ref": "refs/pull/2/head",
                "title": "Update the README with new information.",
                "fork": False,
                "sender": "Codertocat",
            },
        ),
        ("github_pull_request_synchronize", {"kind": "pull_request", "action": "synchronize"}),
        ("github_pull_request_closed", {"kind": "pull_request", "action": "closed"}),
        ("github_release_published", {"kind": "other", "event": "release", "action": "published", "commit": None}),
        (
            "gitlab_push",
            {
                "kind": "push",
                "branch": "master",
                "commit": "da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
                "changed": ("CHANGELOG", "app/controller/application.rb"),
                "changed_complete": False,
                "message": "fixed readme",
                "repository": "mike/diaspora",
                "sender": "jsmith",
            },
        ),
        ("gitlab_tag_push", {"kind": "tag", "tag": "v1.0.0", "commit": "82b3d5ae55f7080f1e6022629cdb57bfae7cccc7"}),
        (
            "gitlab_merge_request",
            {
                "kind": "pull_request",
                "action": "opened",
                "number": 1,
                "branch": "ms-viewport",
                "base_branch": "master",
                "fetch_ref": "refs/merge-requests/1/head",
                "title": "MS-Viewport",
                "message": "fixed readme",
                "fork": False,
            },
        ),
        (
            "gitea_push",
            {
                "kind": "push",
                "branch": "develop",
                "commit": "bffeb74224043ba2feb48d137756c8a9331c449a",
                "changed": (),
                "changed_complete": False,
                "message": "Webhooks Yay!",
            },
        ),
        (
            "gitea_pull_request_opened",
            {
                "kind": "pull_request",
                "action": "opened",
                "branch": "feature",
                "base_branch": "master",
                "commit": "2eba238e33607c1fa49253182e9fff42baafa1eb",
                "fork": False,
            },
        ),
        ("gitea_pull_request_synchronized", {"kind": "pull_request", "action": "synchronize"}),
        ("gitea_pull_request_closed", {"kind": "pull_request", "action": "closed"}),
    ],
)
def test_a_real_delivery_is_understood(name: str, expected: dict[str, Any]) -> None:
    read = asdict(parsed(name))
    assert {key: read[key] for key in expected} == expected
    assert read["addresses"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (changed("github_pull_request_opened", "pull_request", "head", "repo", "id", to=7), {"fork": True}),
        (changed("github_pull_request_opened", "pull_request", "head", "repo", to=None), {"fork": True}),
        (changed("github_pull_request_opened", "pull_request", "base", "repo", to=None), {"fork": True}),
        (changed("github_pull_request_opened", "pull_request", "head", "ref", to="$(reboot)"), {"branch": "$(reboot)"}),
        (
            changed("github_pull_request_opened", "pull_request", "head", "ref", to="--upload-pack=x"),
            {"kind": "ignored"},
        ),
        (changed("github_pull_request_opened", "pull_request", "head", "sha", to="main"), {"kind": "ignored"}),
        (changed("github_pull_request_opened", "number", to="2"), {"kind": "ignored"}),
        (changed("github_pull_request_opened", "number", to=True), {"kind": "ignored"}),
        (changed("github_pull_request_opened", "number", to=10**30), {"kind": "ignored"}),
    ],
)
def test_a_pull_request_that_was_changed(given: dict[str, Any], expected: dict[str, Any]) -> None:
    read = asdict(parsed("github_pull_request_opened", given))
    assert {key: read[key] for key in expected} == expected


def test_a_merged_pull_request_says_so() -> None:
    merged = changed("github_pull_request_closed", "pull_request", "merged", to=True)
    assert parsed("github_pull_request_closed", merged).action == "merged"


@pytest.mark.parametrize(
    ("attributes", "action", "fork"),
    [
        ({"action": "update"}, "edited", False),
        ({"action": "update", "oldrev": "a" * 40}, "synchronize", False),
        ({"action": "reopen"}, "reopened", False),
        ({"action": "merge"}, "merged", False),
        ({"action": "open", "source_project_id": 15}, "opened", True),
        ({"action": "open", "source_project_id": None}, "opened", True),
        ({"action": "open", "target_project_id": None, "source_project_id": None}, "opened", True),
    ],
)
def test_gitlab_tells_a_push_to_a_merge_request_from_an_edit(
    attributes: dict[str, Any], action: str, fork: bool
) -> None:
    given = payload("gitlab_merge_request")
    given["object_attributes"] |= attributes
    read = parsed("gitlab_merge_request", given)
    assert (read.action, read.fork) == (action, fork)


@pytest.mark.parametrize(
    ("name", "change", "complete"),
    [
        ("github_push", {"before": "a" * 40}, True),
        ("github_push", {"before": "a" * 40, "forced": True}, False),
        ("github_push", {"before": "a" * 40, "commits": []}, False),
        ("github_push", {"before": "a" * 40, "commits": [{}] * 2048}, False),
        ("gitlab_push", {"total_commits_count": 2}, True),
        ("gitlab_push", {"total_commits_count": None}, False),
        ("gitlab_push", {"total_commits_count": 2, "before": "0" * 40}, False),
        ("gitea_push", {"total_commits": 30}, False),
    ],
)
def test_changed_paths_are_complete_only_when_the_host_has_told_all(
    name: str, change: dict[str, Any], complete: bool
) -> None:
    assert parsed(name, payload(name) | change).changed_complete is complete


@pytest.mark.parametrize(
    ("ref", "kind", "found"),
    [
        ("refs/heads/$(reboot)", "push", "$(reboot)"),
        ("refs/heads/release/1.2", "push", "release/1.2"),
        ("refs/heads/-x", "ignored", None),
        ("refs/heads/a..b", "ignored", None),
        ("refs/heads/a\0b", "ignored", None),
        ("refs/heads/", "ignored", None),
        ("refs/heads/" + "x" * 300, "ignored", None),
        ("refs/notes/commits", "ignored", None),
        ("main", "ignored", None),
        ("", "ignored", None),
        (None, "ignored", None),
        (["refs/heads/main"], "ignored", None),
    ],
)
def test_only_refs_that_git_takes_are_pushed(ref: Any, kind: str, found: str | None) -> None:
    read = parsed("github_push", changed("github_push", "ref", to=ref))
    assert (read.kind, read.branch) == (kind, found)


def test_a_commit_is_that_of_an_annotated_tag_not_the_tag_itself() -> None:
    annotated = changed("github_push_tag", "after", to="b" * 40)
    assert parsed("github_push_tag", annotated).commit == COMMIT


LEAVES = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20) | st.just("refs/heads/main")
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_payload_makes_a_parser_fail(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(EVENTS)))
    whole = payload(name)
    for _ in range(data.draw(st.integers(1, 4))):
        place: Any = whole
        while True:
            key = data.draw(st.sampled_from(sorted(place)))
            if isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
                place = place[key]
                continue
            place[key] = data.draw(ANYTHING)
            break
    headers = {key.lower(): value for key, value in event_headers(name).items()}
    read = HOSTS[name.partition("_")[0]].read(headers, Payload(whole))
    assert read.kind != "ignored" or read.reason
    assert all("\0" not in str(value) for value in asdict(read).values())


def test_a_form_holds_the_same_payload() -> None:
    body = b"payload=" + json.dumps({"ref": "a b&c"}).replace(" ", "+").replace("&", "%26").encode()
    assert read_payload(body, FORM).text("ref") == "a b&c"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", JSON),
        (b"[]", JSON),
        (b"null", JSON),
        (b"{", JSON),
        (b'{"a": "\xff"}', JSON),
        (b"[" * 100_000, JSON),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, JSON),
        (b"", FORM),
        (b"payload", FORM),
        (b"other=1", FORM),
        (b"payload=[]", FORM),
        (b"payload=%ff", FORM),
        (b"&".join(b"a=1" for _ in range(100)), FORM),
        (b"payload=\xff", FORM),
    ],
)
def test_what_is_no_payload_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(MalformedPayload):
        read_payload(body, content_type)
