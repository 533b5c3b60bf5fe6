"""Amounts and quotas: read, written, shared out; and what is none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tenancy import quotas


@pytest.mark.parametrize(
    ("text", "amount"),
    [("2", "2"), (3, "3"), ("500m", "0.5"), ("1.5", "1.5"), ("1k", "1000"), ("4Gi", "4294967296"), ("0", "0")],
)
def test_amounts_are_read(text: object, amount: str) -> None:
    assert quotas.read_amount(text) == Decimal(amount)


@pytest.mark.parametrize(
    "text",
    ["-1", -1, "1e30", "1E3", "+2", "", " 2", "2 Gi", "Gi", "two", None, True, 1.5, "0x10", "1" * 40, "2gi", "\u0661"],
)
def test_what_is_no_amount_is_refused(text: object) -> None:
    assert quotas.find_fault("cpu", text) == "must be an amount such as 2, 500m or 4Gi"


def test_amounts_have_bounds_and_a_grain() -> None:
    assert "more than" in str(quotas.find_fault("cpu", "100001"))
    assert "more than" in str(quotas.find_fault("memory", "999999999999999Pi"))
    assert "finer" in str(quotas.find_fault("pods", "1500m"))
    assert quotas.find_fault("cpu", "1500m") is None


@given(st.integers(0, 10**12), st.sampled_from(quotas.RESOURCES))
def test_what_is_written_is_read_as_it_was(number: int, resource: str) -> None:
    amount = Decimal(number) / 1000 if resource == "cpu" else Decimal(number)
    assert quotas.read_amount(quotas.write_amount(resource, amount)) == amount


def test_what_is_left_is_what_nobody_was_given() -> None:
    left = quotas.left_of({"cpu": "8", "memory": "16Gi"}, [{"cpu": "2", "memory": "4Gi"}, {"cpu": "500m"}])
    assert {name: quotas.write_amount(name, one) for name, one in left.items()} == {"cpu": "5500m", "memory": "12Gi"}


def test_a_project_that_names_no_amount_gets_little_and_never_more_than_is_left() -> None:
    left = quotas.amounts_of({"cpu": "500m", "memory": "16Gi", "pods": "0"})
    filled = quotas.fill({"memory": "4Gi"}, left)
    assert (filled["cpu"], filled["memory"], filled["pods"], filled["storage"]) == ("500m", "4Gi", "0", "0")


def test_more_than_is_left_is_found_by_its_field() -> None:
    (fault,) = quotas.find_excess({"cpu": "3", "memory": "1Gi"}, quotas.amounts_of({"cpu": "2", "memory": "1Gi"}))
    assert (fault.field, fault.message) == ("resource_quota.cpu", "3 is more than the 2 left")


def test_the_hard_quota_of_a_cluster_bounds_requests_and_limits() -> None:
    hard = quotas.hard_of(quotas.amounts_of({"cpu": "2", "memory": "4Gi", "pods": "10"}))
    assert hard["requests.cpu"] == hard["limits.cpu"] == "2"
    assert (hard["limits.memory"], hard["pods"], hard["services.nodeports"]) == ("4Gi", "10", "0")


def test_use_is_shown_by_what_limits_it() -> None:
    shown = quotas.show_use({"limits.cpu": "2", "pods": "0"}, {"limits.cpu": "500m", "pods": "0"})
    assert shown["cpu"] == {"used": "500m", "limit": "2", "percentage": 25.0}
    assert shown["pods"]["percentage"] == 0.0


@pytest.mark.parametrize("plan", quotas.OF_PLAN)
def test_every_plan_bounds_every_resource(plan: str) -> None:
    assert set(quotas.OF_PLAN[plan]) == set(quotas.RESOURCES)
    assert all(quotas.find_fault(name, text) is None for name, text in quotas.OF_PLAN[plan].items())
