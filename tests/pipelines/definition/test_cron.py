"""Cron expressions in time zones, above all where clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pipelines.definition import DefinitionInvalid, find_cron_fault, find_timezone_fault, next_tick, parse_tree


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def ticks(expression: str, timezone: str, after: str, count: int) -> list[datetime]:
    found = [at(after)]
    for _ in range(count):
        found.append(next_tick(expression, timezone, found[-1]))
    return found[1:]


@pytest.mark.parametrize(
    ("expression", "timezone", "after", "expected"),
    [
        ("0 3 * * *", "UTC", "2026-05-01T03:00:00Z", ["2026-05-02T03:00:00Z"]),
        ("0 3 * * *", "UTC", "2026-05-01T02:59:59Z", ["2026-05-01T03:00:00Z"]),
        ("0 3 * * *", "Europe/Berlin", "2026-01-01T12:00:00Z", ["2026-01-02T02:00:00Z"]),
        ("0 3 * * *", "Europe/Berlin", "2026-07-01T12:00:00Z", ["2026-07-02T01:00:00Z"]),
        ("*/20 9 * * MON-FRI", "UTC", "2026-05-01T09:30:00Z", ["2026-05-01T09:40:00Z", "2026-05-04T09:00:00Z"]),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", ["2028-02-29T00:00:00Z"]),
        ("30 5 1 */6 *", "Asia/Kolkata", "2026-01-02T00:00:00Z", ["2026-07-01T00:00:00Z"]),
        # At 02:00 on 29 March the clocks of Berlin go on to 03:00: there is no 02:30, so it is due after the gap.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00+01:00",
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"],
        ),
        # Every half hour goes on without a pause.
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-03-29T01:15:00+01:00",
            ["2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"],
        ),
        # At 03:00 on 25 October they go back to 02:00: 02:30 is there twice, and due once.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00+02:00",
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
        ),
        # Every half hour is due in both of these hours.
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-25T01:45:00+02:00",
            [
                "2026-10-25T02:00:00+02:00",
                "2026-10-25T02:30:00+02:00",
                "2026-10-25T02:00:00+01:00",
                "2026-10-25T02:30:00+01:00",
                "2026-10-25T03:00:00+01:00",
            ],
        ),
    ],
)
def test_an_expression_is_due_when_its_time_zone_says(
    expression: str, timezone: str, after: str, expected: list[str]
) -> None:
    assert ticks(expression, timezone, after, len(expected)) == [at(one) for one in expected]


@given(
    st.integers(0, 59),
    st.sampled_from(["*", "*/2", "3", "1-4"]),
    st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: at("2026-01-01T00:00:30Z") + timedelta(minutes=minutes)),
)
def test_the_next_time_is_later_and_nothing_is_due_in_between(minute: int, hour: str, after: datetime) -> None:
    expression = f"{minute} {hour} * * *"
    due = next_tick(expression, "Europe/Berlin", after)
    assert due > after
    assert next_tick(expression, "Europe/Berlin", after + (due - after) / 2) == due


@pytest.mark.parametrize(
    "expression",
    ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "61 * * * *", "*/0 * * * *", "5-1 * * * *", "0 0 * * FOO", "0 24 * * *"],
)
def test_an_expression_that_is_never_due_is_a_fault(expression: str) -> None:
    assert find_cron_fault(expression)
    with pytest.raises(ValueError, match="never due"):
        next_tick(expression, "UTC", datetime.now(UTC))


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5"])
def test_a_time_zone_is_known(name: str) -> None:
    assert find_timezone_fault(name) is None


@pytest.mark.parametrize("name", ["Berlin", "Europe/Atlantis", "../../etc/passwd", "/etc/localtime", "", "Europe"])
def test_what_is_no_time_zone_is_a_fault(name: str) -> None:
    assert find_timezone_fault(name)


def definition(**config: str | list[str]) -> dict[str, object]:
    return {
        "name": "shop",
        "triggers": [{"trigger_type": "schedule" if "cron_expression" in config else "pipeline", "config": config}],
        "stages": [{"name": "a", "steps": [{"name": "b", "run": "true"}]}],
    }


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"cron_expression": "0 0 30 2 *"}, "triggers[0].config.cron_expression"),
        ({"cron_expression": "99 * * * *"}, "triggers[0].config.cron_expression"),
        ({"cron_expression": "0 3 * * *", "timezone": "Mars/Olympus"}, "triggers[0].config.timezone"),
        ({"cron_expression": "0 3 * * *", "timezone": "../zone"}, "triggers[0].config.timezone"),
        ({"cron_expression": "0 3 * * *", "on": ["succeeded"]}, "triggers[0].config.on"),
        ({"timezone": "UTC"}, "triggers[0].config.pipeline"),
        ({"pipeline": "shop"}, "triggers[0].config.pipeline"),
        ({"pipeline": "build", "on": ["sometimes"]}, "triggers[0].config.on[0]"),
    ],
)
def test_a_trigger_that_can_never_start_anything_is_refused(config: dict[str, str | list[str]], path: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        parse_tree(definition(**config))
    assert path in [fault.path for fault in caught.value.faults]
