"""Quotas: amounts as Kubernetes writes them, what each plan allows, and what is left when parts are given away.

Format of amounts: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/, without exponents.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from app.kernel.errors import FieldError

Quota = Mapping[str, str]
Amounts = dict[str, Decimal]

_AMOUNT: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(m|[kMGTP]|[KMGTP]i)?")
_UNITS: Final = {
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** (place + 1) for place, unit in enumerate("kMGTP")},
    **{f"{unit}i": Decimal(1024) ** (place + 1) for place, unit in enumerate("KMGTP")},
}
_SHOWN: Final = ("Pi", "Ti", "Gi", "Mi", "Ki")

_TEBIBYTE: Final = Decimal(1024) ** 4
LARGEST: Final = {
    "cpu": Decimal(100_000),
    "memory": 10_000 * _TEBIBYTE,
    "storage": 1_000_000 * _TEBIBYTE,
    "pods": Decimal(1_000_000),
    "services": Decimal(1_000_000),
    "persistent_volume_claims": Decimal(1_000_000),
}
ZERO: Final = Decimal(0)
LONGEST_AMOUNT: Final = 40
RESOURCES: Final = tuple(LARGEST)
BYTES: Final = ("memory", "storage")

_HARD: Final = {
    "cpu": ("requests.cpu", "limits.cpu"),
    "memory": ("requests.memory", "limits.memory"),
    "storage": ("requests.storage",),
    "pods": ("pods",),
    "services": ("services",),
    "persistent_volume_claims": ("persistentvolumeclaims",),
}

_NOT_GIVEN: Final = ("services.loadbalancers", "services.nodeports")


def _quota(cpu: str, memory: str, storage: str, pods: int, services: int, claims: int) -> Quota:
    amounts = (cpu, memory, storage, str(pods), str(services), str(claims))
    return dict(zip(RESOURCES, amounts, strict=True))


OF_PLAN: Final[Mapping[str, Quota]] = {
    "free": _quota("2", "4Gi", "10Gi", 20, 10, 5),
    "standard": _quota("8", "16Gi", "100Gi", 100, 50, 20),
    "pro": _quota("32", "64Gi", "500Gi", 400, 200, 80),
    "enterprise": _quota("128", "256Gi", "2Ti", 2000, 1000, 400),
}
"""What a workspace may use, with all of its projects, by its plan."""

OF_PROJECT: Final = _quota("1", "2Gi", "10Gi", 10, 5, 5)
"""What a project gets of what its parent has left, where nothing is said."""


def read_amount(text: Any) -> Decimal | None:
    """Return an amount, such as 0.5 for `500m`; None for what is none: signs, exponents and words are not."""
    if isinstance(text, bool) or not isinstance(text, str | int):
        return None
    found = _AMOUNT.fullmatch(str(text))
    return Decimal(found[1]) * _UNITS.get(found[2] or "", Decimal(1)) if found else None


def write_amount(resource: str, amount: Decimal) -> str:
    """Return an amount as short as it is exact."""
    if resource in BYTES:
        for unit in _SHOWN:
            if amount and amount % _UNITS[unit] == 0:
                return f"{int(amount / _UNITS[unit])}{unit}"
    if amount == amount.to_integral_value():
        return str(int(amount))
    return f"{int(amount * 1000)}m"


def find_fault(resource: str, text: Any) -> str | None:
    """Return why this cannot be the amount of a resource, or None."""
    amount = read_amount(text)
    if amount is None:
        return "must be an amount such as 2, 500m or 4Gi"
    if amount > LARGEST[resource]:
        return f"must not be more than {write_amount(resource, LARGEST[resource])}"
    step = Decimal("0.001") if resource == "cpu" else Decimal(1)
    return None if amount % step == 0 else "is finer than the resource can be divided"


def normalize(quota: Mapping[str, Any]) -> dict[str, str]:
    """Return a quota whose amounts were found to be ones, each in its shortest form."""
    return {name: write_amount(name, amount) for name, amount in amounts_of(quota).items()}


def amounts_of(quota: Mapping[str, Any]) -> Amounts:
    """Return the amounts of a quota by resource."""
    return {name: amount for name in RESOURCES if (amount := read_amount(quota.get(name))) is not None}


def left_of(whole: Mapping[str, Any], parts: Iterable[Mapping[str, Any]]) -> Amounts:
    """Return what is left of a quota when its parts are given away; less than nothing where they are more."""
    left = amounts_of(whole)
    for part in parts:
        for name, amount in amounts_of(part).items():
            left[name] = left.get(name, ZERO) - amount
    return left


def fill(quota: Mapping[str, Any], left: Amounts) -> dict[str, str]:
    """Return a project's quota with each resource that it does not name, out of what is left."""
    default = amounts_of(OF_PROJECT)
    given = {name: max(min(default[name], left.get(name, ZERO)), ZERO) for name in RESOURCES}
    return {name: write_amount(name, amount) for name, amount in (given | amounts_of(quota)).items()}


def find_excess(quota: Mapping[str, Any], left: Amounts) -> list[FieldError]:
    """Return where a quota wants more than is left."""
    return [
        FieldError(
            f"resource_quota.{name}",
            f"{write_amount(name, amount)} is more than the {write_amount(name, max(left[name], ZERO))} left",
        )
        for name, amount in amounts_of(quota).items()
        if amount > left.get(name, amount)
    ]


def hard_of(amounts: Amounts) -> dict[str, str]:
    """Return what a ResourceQuota says for these amounts. What a cluster's owner pays for by itself (load balancers)
    and what would get around the network policy (node ports) is not given out."""
    hard = {key: write_amount(name, max(amount, ZERO)) for name, amount in amounts.items() for key in _HARD[name]}
    return hard | dict.fromkeys(_NOT_GIVEN, "0")


def read_quantity(text: Any) -> Decimal | None:
    """Return an amount that a cluster has written, which may have an exponent; None for none."""
    found = read_amount(text)
    if found is not None or not isinstance(text, str):
        return found
    try:
        amount = Decimal(text)
    except ArithmeticError:
        return None
    # By its exponent: numbers beyond those of Decimal cannot even be compared.
    return amount if amount.is_finite() and (not amount or -30 < amount.adjusted() < 30) else None


def read_amounts(said: Any) -> dict[str, str]:
    """Return what a cluster says of a quota, of the resources that are given out, as far as these are amounts."""
    named = (*(key for keys in _HARD.values() for key in keys), *_NOT_GIVEN)
    found = {key: said.get(key) for key in named} if isinstance(said, Mapping) else {}
    texts = {key: text for key, text in found.items() if isinstance(text, str) and len(text) <= LONGEST_AMOUNT}
    return {key: text for key, text in texts.items() if read_quantity(text) is not None}


def is_same_amount(left: Any, right: Any) -> bool:
    """Tell whether two texts say the same amount."""
    amounts = read_quantity(left), read_quantity(right)
    return left == right if None in amounts else amounts[0] == amounts[1]


def find_less(amount: str, other: str | None) -> str:
    """Return the lesser of two amounts, or the first where the other is none."""
    amounts = read_quantity(amount), read_quantity(other)
    return other if other is not None and None not in amounts and amounts[1] < amounts[0] else amount  # type: ignore[operator]


def find_over_use(hard: Mapping[str, str], used: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the resources of which more is used than `hard` would allow, each with use and allowance."""
    return {
        name: (str(used[name]), allowed)
        for name, allowed in hard.items()
        if (read_quantity(used.get(name)) or ZERO) > (read_quantity(allowed) or ZERO)
    }


def show_use(hard: Mapping[str, Any], used: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return use, limit and share in percent of each resource, by a ResourceQuota's status."""
    shown = {}
    for name, keys in _HARD.items():
        limit, use = read_quantity(hard.get(keys[-1])), read_quantity(used.get(keys[-1])) or ZERO
        if limit is not None:
            percentage = round(float(100 * use / limit), 1) if limit else 0.0
            told = {"used": write_amount(name, use), "limit": write_amount(name, limit)}
            shown[name] = {**told, "percentage": percentage}
    return shown
