"""Which triggers let which events pass, and what those that do not say."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from app.pipelines.definition import Trigger, TriggerConfig
from app.pipelines.triggers import RepositoryEvent, find_skip_reason, judge, judge_all
from app.pipelines.triggers.common import read_changes
from app.pipelines.triggers.payload import Payload

PUSH = RepositoryEvent(
    "push",
    "push",
    repository="Acme/Shop",
    addresses=("https://git.example.com/acme/shop.git",),
    branch="main",
    changed=("src/a.py", "docs/index.md"),
    changed_complete=True,
)
TAG = RepositoryEvent("tag", "push", repository="acme/shop", tag="v1.2")
PULL = RepositoryEvent(
    "pull_request", "pull_request", branch="fix", base_branch="main", action="opened", number=7, repository="acme/shop"
)
RELEASE = RepositoryEvent("other", "release", action="published", repository="acme/shop")


def trigger(kind: str, **config: Any) -> Trigger:
    return Trigger(kind, TriggerConfig(**config))


@pytest.mark.parametrize(
    ("kind", "config", "event"),
    [
        ("git_push", {}, PUSH),
        ("git_push", {"branch_patterns": ("dev", "ma*")}, PUSH),
        ("git_push", {"branch_patterns": ("release/*",)}, replace(PUSH, branch="release/1.2")),
        ("git_push", {"events": ("push",)}, PUSH),
        ("git_push", {"repository": "acme/shop"}, PUSH),
        ("git_push", {"repository": "https://git.example.com/acme/shop.git"}, PUSH),
        ("git_push", {"path": "src"}, PUSH),
        ("git_push", {"path": "**/*.md"}, PUSH),
        ("git_push", {"path": "web"}, replace(PUSH, changed_complete=False)),
        ("git_push", {"tag_patterns": ("v*",)}, TAG),
        ("git_tag", {}, TAG),
        ("git_tag", {"tag_patterns": ("v*",)}, TAG),
        ("pull_request", {}, PULL),
        ("pull_request", {}, replace(PULL, action="synchronize")),
        ("pull_request", {}, replace(PULL, action="reopened")),
        ("pull_request", {"events": ("pull_request",)}, PULL),
        ("pull_request", {"events": ("closed",)}, replace(PULL, action="merged")),
        ("pull_request", {"events": ("merged",)}, replace(PULL, action="merged")),
        ("pull_request", {"events": ("labeled",)}, replace(PULL, action="labeled")),
        ("pull_request", {"events": ("Synchronized",)}, replace(PULL, action="synchronize")),
        ("pull_request", {"branch_patterns": ("main",)}, PULL),
        ("webhook", {}, PUSH),
        ("webhook", {}, TAG),
        ("webhook", {}, PULL),
        ("webhook", {"events": ("release",)}, RELEASE),
        ("webhook", {"events": ("push_hook", "push")}, replace(PUSH, event="Push Hook")),
    ],
)
def test_an_event_passes(kind: str, config: dict[str, Any], event: RepositoryEvent) -> None:
    assert judge(trigger(kind, **config), event) is None


@pytest.mark.parametrize(
    ("kind", "config", "event", "reason"),
    [
        ("manual", {}, PUSH, "no event of a repository starts it"),
        ("schedule", {}, PUSH, "no event of a repository starts it"),
        ("git_push", {}, TAG, "this is a push of a tag"),
        ("git_push", {}, PULL, "this is a pull request"),
        ("git_push", {}, RELEASE, "this is a delivery of 'release'"),
        ("git_push", {"tag_patterns": ("v*",)}, PUSH, "it asks for tags"),
        ("git_push", {"tag_patterns": ("x*",)}, TAG, "the tag 'v1.2' matches none of x*"),
        ("git_push", {"branch_patterns": ("dev",)}, PUSH, "the branch 'main' matches none of dev"),
        ("git_push", {"branch_patterns": ("*",)}, replace(PUSH, branch="a/b"), "the branch 'a/b' matches none of *"),
        ("git_push", {"events": ("release",)}, PUSH, "the event 'push' is none of release"),
        ("git_push", {"path": "web"}, PUSH, "nothing below 'web' was changed"),
        ("git_push", {"repository": "acme/web"}, PUSH, "the repository 'Acme/Shop' is not 'acme/web'"),
        ("git_tag", {}, PUSH, "this is a push to a branch"),
        ("git_tag", {"tag_patterns": ("v2*",)}, TAG, "the tag 'v1.2' matches none of v2*"),
        (
            "pull_request",
            {},
            replace(PULL, action="closed"),
            "the action 'closed' is none of opened, reopened, synchronize",
        ),
        ("pull_request", {"events": ("closed",)}, PULL, "the action 'opened' is none of closed"),
        ("pull_request", {"branch_patterns": ("fix",)}, PULL, "the base branch 'main' matches none of fix"),
        ("pull_request", {}, PUSH, "this is a push to a branch"),
        ("webhook", {}, RELEASE, "its events do not name it"),
        ("webhook", {"events": ("push",)}, RELEASE, "the event 'release' is none of push"),
        ("webhook", {"branch_patterns": ("dev",)}, PULL, "the branch 'main' matches none of dev"),
        ("webhook", {"tag_patterns": ("x",)}, TAG, "the tag 'v1.2' matches none of x"),
    ],
)
def test_an_event_is_refused_with_the_reason(
    kind: str, config: dict[str, Any], event: RepositoryEvent, reason: str
) -> None:
    assert judge(trigger(kind, **config), event) == reason


def test_one_of_several_triggers_is_enough() -> None:
    triggers = [trigger("git_tag"), trigger("git_push", branch_patterns=("main",)), trigger("webhook")]
    assert judge_all(triggers, PUSH).trigger_type == "git_push"


def test_what_no_trigger_lets_pass_has_the_reasons_of_all() -> None:
    verdict = judge_all([trigger("git_tag"), trigger("git_push", branch_patterns=("dev",))], PUSH)
    assert verdict.trigger_type is None
    assert verdict.reason == ("git_tag: this is a push to a branch; git_push: the branch 'main' matches none of dev")


@pytest.mark.parametrize(
    ("message", "title", "skipped"),
    [
        ("Fix [skip ci]", "", True),
        ("[CI SKIP] docs", "", True),
        ("Fix\n\nskip-checks: true", "", True),
        ("Fix\n\nSkip-Checks:true\n", "", True),
        ("", "Draft [ci skip]", True),
        ("Fix", "", False),
        ("skip ci", "", False),
        ("skip-checks: true, said he", "", False),
        ("skip-checks: true\nand more", "", False),
        ("", "skip-checks: true", False),
    ],
)
def test_a_commit_or_a_title_may_ask_to_be_skipped(message: str, title: str, skipped: bool) -> None:
    assert (find_skip_reason(replace(PUSH, message=message, title=title)) is not None) is skipped


def test_hostile_patterns_cost_no_more_than_their_length() -> None:
    pattern = "*a" * 90
    assert judge(trigger("git_push", branch_patterns=(pattern,)), replace(PUSH, branch="a" * 250)) is None
    assert judge(trigger("git_push", branch_patterns=(pattern,)), replace(PUSH, branch="b" * 250))


def test_a_pattern_as_long_as_may_be_costs_next_to_nothing() -> None:
    began = time.process_time()
    assert judge(trigger("git_push", path="**a" * 160 + "z"), replace(PUSH, changed=("a" * 1000,)))
    assert time.process_time() - began < 0.3


def test_whoever_comes_late_runs_rather_than_looks_at_paths() -> None:
    elsewhere = [trigger("git_push", path="tests/")]
    assert judge_all(elsewhere, PUSH).trigger_type is None
    assert judge_all(elsewhere, PUSH, lambda: True).trigger_type == "git_push"


def test_more_paths_than_anybody_looks_through_are_not_told_whole() -> None:
    def commits(many: int) -> list[Payload]:
        paths = [f"{number:0200}" for number in range(many)]
        return [Payload({"added": paths, "modified": [], "removed": []})]

    assert len(read_changes(commits(900))[0]) == 900
    assert read_changes(commits(1100)) == ((), False)
