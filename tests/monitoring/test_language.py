"""Queries: what they say, and what they refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from app.monitoring.errors import QueryInvalid, QueryTooWide
from app.monitoring.language import Aggregation, Matcher, Over, Selector, evaluate, parse
from app.monitoring.points import Points, put_in_order, to_micros

DATA = {
    ("requests", "a"): [(at, float(at)) for at in range(0, 601, 10)],
    ("requests", "b"): [(at, float(2 * at if at < 300 else 2 * (at - 300))) for at in range(0, 601, 10)],
}


def source(selector: Selector, after: float, until: float) -> Sequence[tuple[Mapping[str, str], Points]]:
    found = []
    for (name, pod), pairs in DATA.items():
        kept = [(at, value) for at, value in pairs if after < at <= until]
        times, values = np.array([at for at, _ in kept], float), np.array([value for _, value in kept], float)
        found.append(({"__name__": name, "pod": pod}, put_in_order(to_micros(times), values)))
    return found


def run(query: str, *steps: float) -> dict[str, list[float]]:
    lines = evaluate(parse(query), np.array(steps, float), source)
    return {line.labels.get("pod", ""): [round(value, 6) for value in line.values.tolist()] for line in lines}


def test_a_query_is_read() -> None:
    assert parse("up") == Selector("up")
    assert parse('{"a name", pod=~"web.*", job!=\'x\',}') == Selector(
        "a name", (Matcher("pod", "=~", "web.*"), Matcher("job", "!=", "x"))
    )
    rate = Over("rate", Selector("requests_total", (), 5400.0))
    assert parse("sum by (pod, job) (rate(requests_total[1h30m]))") == Aggregation("sum", rate, ("pod", "job"))
    assert parse("sum(rate(requests_total[1h30m])) without (pod)") == Aggregation("sum", rate, ("pod",), True)
    quantile = Over("quantile_over_time", Selector("cpu", (), 60.0), 0.9)
    assert parse("quantile(0.5, quantile_over_time(0.9, cpu[1m]))") == Aggregation("quantile", quantile, parameter=0.5)


def test_a_selector_takes_the_newest_sample_of_five_minutes() -> None:
    found = run("requests", 5, 605, 901)
    assert {pod: values[:2] for pod, values in found.items()} == {"a": [0, 600], "b": [0, 600]}
    assert np.isnan([values[2] for values in found.values()]).all()


def test_rates_are_those_of_prometheus_also_over_a_reset() -> None:
    assert run("rate(requests[5m])", 600) == {"a": [1.0], "b": [2.0]}
    assert run("increase(requests[5m])", 450)["a"] == [300.0]
    reset = run("increase(requests[10m])", 600)["b"][0]
    assert 1150 < reset <= 1200
    assert run("delta(requests[5m])", 450)["a"] == [300.0]


def test_functions_over_time() -> None:
    assert run("avg_over_time(requests[30s])", 100)["a"] == [90.0]
    assert run("min_over_time(requests[30s])", 100)["a"] == [80.0]
    assert run("max_over_time(requests[30s])", 100, 200)["a"] == [100.0, 200.0]
    assert run("sum_over_time(requests[30s])", 100)["a"] == [270.0]
    assert run("count_over_time(requests[30s])", 100)["a"] == [3.0]
    assert run("quantile_over_time(0.5, requests[30s])", 100)["a"] == [90.0]
    assert run("stddev_over_time(requests[20s])", 100)["a"] == [5.0]
    assert run("max_over_time(requests[30s])", 5000) == {}


def test_aggregations_put_series_together() -> None:
    assert run("sum(requests)", 100) == {"": [300.0]}
    assert run("avg by (pod) (requests)", 100) == {"a": [100.0], "b": [200.0]}
    assert run("max without (pod) (requests)", 100) == {"": [200.0]}
    assert run("count(requests)", 100) == {"": [2.0]}
    assert run("quantile(0.5, requests)", 100) == {"": [150.0]}
    assert run("min(requests)", 5000) == {}


def test_a_query_that_looks_at_the_same_samples_again_and_again_is_refused() -> None:
    def many(selector: Selector, after: float, until: float) -> Sequence[tuple[Mapping[str, str], Points]]:
        times = np.arange(100_000.0)
        return [({"pod": "a"}, put_in_order(to_micros(times), times))] * 10

    steps = np.linspace(0, 100_000, 1_000)
    for function in ("avg_over_time", "max_over_time", "stddev_over_time"):
        with pytest.raises(QueryTooWide):
            evaluate(parse(f"{function}(m[1d])"), steps, many)
    assert len(evaluate(parse("rate(m[1d])"), steps, many)) == 10
    with pytest.raises(QueryTooWide):
        evaluate(parse("m"), np.linspace(0, 1, 1_300_000), many)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "Expected a name"),
        ("sum(", "Expected a name"),
        ("cpu[5m]", "belongs into a function"),
        ("rate(cpu)", "takes a range"),
        ("rate(cpu[0s])", "longer than 0"),
        ("rate(cpu[400d])", "at most 90d"),
        ("explode(cpu[5m])", "no function explode"),
        ("{}", "would read everything"),
        ('{pod=~".*"}', "would read everything"),
        ('{pod!="x"}', "would read everything"),
        ('{pod=~"("}', "not a regular expression"),
        (r'{pod=~"(a)\\1"}', "looks around or back"),
        ('{pod=~"a(?!b)"}', "looks around or back"),
        ("quantile(2, cpu)", "from 0 to 1"),
        ("cpu + 1", "Cannot be read from"),
        ("cpu cpu", "Expected end"),
        ("sum(" * 9 + "cpu" + ")" * 9, "nested deeper"),
        ("c" * 2001, "longer than 2000"),
        ('cpu{pod="', "Cannot be read from"),
    ],
)
def test_what_is_no_query_is_refused_with_its_place(query: str, said: str) -> None:
    with pytest.raises(QueryInvalid) as caught:
        parse(query)
    assert said in caught.value.errors[0].message
    assert "(character " in caught.value.errors[0].message
