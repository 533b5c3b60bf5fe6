"""Scores of clusters, on parts that are made up."""

from __future__ import annotations

import pytest

from app.sre import scores
from app.sre.scores import Part


def parts(**known: float | None) -> list[Part]:
    return [Part(name, known.get(name), "") for name in scores.WEIGHTS]


def test_weights_are_a_whole() -> None:
    assert sum(scores.WEIGHTS.values()) == pytest.approx(1.0)


def test_a_score_is_the_weighted_mean_of_what_is_known() -> None:
    everything = parts(availability=100, nodes=50, pods=100, capacity=0, alerts=100)
    assert scores.judge(everything, is_away=False).score == 75.0
    # Two known parts of 0.3 and 0.2 share the whole.
    assert scores.judge(parts(availability=100, nodes=50), is_away=False).score == 80.0
    assert scores.judge(parts(), is_away=True) == scores.Score(None, "unknown", parts())


@pytest.mark.parametrize(("score", "level"), [(100, "healthy"), (90, "healthy"), (89.9, "warning"), (69.9, "critical")])
def test_a_level_goes_by_the_score(score: float, level: str) -> None:
    assert scores.judge(parts(alerts=score), is_away=False).level == level


def test_a_cluster_that_is_away_is_critical_whatever_was_last_seen_of_it() -> None:
    judged = scores.judge(parts(availability=95, nodes=100, pods=100, alerts=100), is_away=True)
    assert (judged.score, judged.level) == (20.0, "critical")


@pytest.mark.parametrize(
    ("part", "score"),
    [
        (scores.of_checks(0, 0), None),
        (scores.of_checks(3, 4), 75.0),
        (scores.of_nodes(None, None), None),
        (scores.of_nodes(None, 3), 0.0),
        (scores.of_pods(1, 10), 90.0),
        (scores.of_use({}), None),
        (scores.of_use({"memory": 0.5, "processor": 0.8}), 100.0),
        (scores.of_use({"memory": 0.9, "processor": 0.2}), 50.0),
        (scores.of_use({"memory": 1.3}), 0.0),
        (scores.of_alerts({}), 100.0),
        (scores.of_alerts({"critical": 1, "warning": 2, "info": 1}), 53.0),
        (scores.of_alerts({"critical": 9}), 0.0),
    ],
)
def test_parts_are_judged(part: Part, score: float | None) -> None:
    assert part.score == pytest.approx(score)
    assert part.message


@pytest.mark.parametrize(
    ("per_day", "trend"),
    [
        ([0, 0, 0, 0, 0, 0, 0], "stable"),
        ([9, 8, 9, 5, 1, 0, 1], "improving"),
        ([0, 1, 0, 5, 4, 4, 4], "declining"),
        ([20, 20, 20, 20, 21, 22, 23], "stable"),
        ([0, 2], "stable"),
        ([5], "stable"),
        ([], "stable"),
    ],
)
def test_a_trend_compares_the_halves_of_the_days(per_day: list[int], trend: str) -> None:
    assert scores.find_trend(per_day) == trend
