"""Conditions, episodes and matchers: what follows from values, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from app.monitoring.alerting.conditions import Condition, find
from app.monitoring.alerting.episodes import Episode, Patience, replay
from app.monitoring.alerting.matching import find_matchers_fault, is_in_force, is_inhibited, matches
from app.monitoring.language import Selector, parse
from app.monitoring.points import Points, put_in_order, to_micros

VALUES = {"a": [10.0, 20, 30, 40, 50, 60], "b": [5.0, 5, 5, 5, 5, 5]}


def source(selector: Selector, after: float, until: float) -> Sequence[tuple[Mapping[str, str], Points]]:
    """Minute by minute from 60 to 360."""
    found = []
    for pod, values in VALUES.items():
        times = np.arange(60.0, 361, 60)
        kept = (times > after) & (times <= until)
        found.append(({"pod": pod}, put_in_order(to_micros(times[kept]), np.array(values)[kept])))
    return found


def holds(condition: Condition, *steps: float) -> dict[str, list[bool]]:
    findings = find(condition, np.array(steps), source)
    return {finding.labels.get("pod", ""): finding.violated.tolist() for finding in findings}


@pytest.mark.parametrize(
    ("operator", "expected"), [(">", [False, True]), (">=", [True, True]), ("<", [False, False]), ("==", [True, False])]
)
def test_a_threshold_is_compared(operator: str, expected: list[bool]) -> None:
    assert holds(Condition("threshold", parse("m"), operator, 30.0), 180, 240)["a"] == expected


def test_a_change_is_against_the_value_before_as_a_difference_or_in_percent() -> None:
    assert holds(Condition("rate_of_change", parse("m"), ">", 15.0, 120.0), 60, 180) == {
        "a": [False, True],
        "b": [False, False],
    }
    percent = Condition("rate_of_change", parse("m"), ">=", 100.0, 60.0, percent=True)
    assert holds(percent, 120, 180)["a"] == [True, False]


def test_absence_counts_samples_and_has_the_labels_that_were_asked_for() -> None:
    condition = Condition("absence", parse('m{pod="x"}'), seconds=120.0)
    (finding,) = find(condition, np.array([360.0, 470.0, 480.0, 600.0]), source)
    assert finding.violated.tolist() == [False, False, True, True]
    assert finding.labels == {"pod": "x"}


def test_an_episode_waits_fires_and_is_over_when_it_was_calm_for_long_enough() -> None:
    steps = [(60.0 * at, at in (1, 3, 4, 5, 7, 20, 21, 22)) for at in range(24)]
    assert replay(steps, Patience(hold=120, keep=180)) == [
        Episode("resolved", 180, 420, 300, 600),
        Episode("firing", 1200, 1320, 1320),
    ]
    assert [episode.fired_at for episode in replay(steps, Patience())] == [60, 180, 420, 1200]
    assert replay(steps, Patience(hold=600)) == []


def matcher(label: str, operator: str, value: str) -> dict[str, str]:
    return {"label": label, "operator": operator, "value": value}


def test_matchers_all_have_to_agree() -> None:
    labels = {"pod": "web-1", "zone": "eu"}
    assert matches([matcher("pod", "=~", "web-.*"), matcher("zone", "!=", "us"), matcher("team", "=", "")], labels)
    assert not matches([matcher("pod", "=~", "web"), matcher("zone", "=", "eu")], labels)
    assert not matches([matcher("zone", "!~", "e.")], labels)


@pytest.mark.parametrize("value", ["(", "(?=a)b", r"(a)\1", "a" * 201])
def test_expressions_that_are_none_or_look_around_are_refused(value: str) -> None:
    assert find_matchers_fault([matcher("pod", "=~", value)])


def test_what_was_stored_and_is_no_expression_any_more_mutes_nothing() -> None:
    assert not matches([matcher("pod", "!~", "(?=a)b")], {"pod": "b"})


@pytest.mark.parametrize("value", ["(a+)+", "(a|a)*", "(a|aa)+", "(a?){50}a{50}", ".*.*.*.*.*.*", "(.*a){20}"])
def test_no_expression_takes_long_however_it_is_written(value: str) -> None:
    assert find_matchers_fault([matcher("pod", "=~", f"{value}b")]) is None
    assert not matches([matcher("pod", "=~", f"{value}b")], {"pod": "a" * 1000})


def test_what_would_match_everything_is_refused() -> None:
    assert find_matchers_fault([matcher("pod", "=~", ".*"), matcher("zone", "!=", "eu")])
    assert find_matchers_fault([matcher("pod", "=", "web")]) is None


def test_a_window_repeats_until_it_is_ended() -> None:
    start = datetime(2026, 1, 5, 2, tzinfo=UTC)
    window = (start, start + timedelta(hours=2))
    inside, outside = start + timedelta(days=14, hours=1), start + timedelta(days=14, hours=3)
    assert is_in_force(*window, "weekly", inside)
    assert not is_in_force(*window, "weekly", outside)
    assert not is_in_force(*window, "weekly", start - timedelta(days=7))
    assert is_in_force(*window, "daily", start + timedelta(days=3))
    assert is_in_force(*window, None, start)
    assert not is_in_force(*window, None, window[1])


def test_an_alert_mutes_others_with_the_same_label_and_never_itself() -> None:
    by = {"matchers": [matcher("kind", "=", "pod")], "equal": ["node"]}
    node = {"kind": "node", "node": "n1"}
    assert is_inhibited({"kind": "pod", "node": "n1"}, by, node)
    assert not is_inhibited({"kind": "pod", "node": "n2"}, by, node)
    assert not is_inhibited({"kind": "node", "node": "n1"}, by, node)
    assert not is_inhibited({"kind": "pod", "node": "n1"}, by, {"kind": "pod", "node": "n1"})
