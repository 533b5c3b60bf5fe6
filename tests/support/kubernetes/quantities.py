"""Kubernetes quantities: `500m`, `2`, `1Gi`."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}
_FORM = re.compile(r"(?P<number>[+-]?(\d+(\.\d*)?|\.\d+))(?P<unit>[a-zA-Z]*|[eE][+-]?\d+)")


def read_quantity(text: object) -> Decimal:
    """Return a quantity's value; raises ValueError."""
    match = _FORM.fullmatch(str(text))
    if match is None:
        raise ValueError(f"quantities must match the regular expression: {text!r}")
    unit = match["unit"]
    if unit in _UNITS:
        return Decimal(match["number"]) * _UNITS[unit]
    if re.fullmatch(r"[eE][+-]?\d+", unit):
        return Decimal(match["number"] + unit)
    raise ValueError(f"unable to parse quantity's suffix: {text!r}")


def write_quantity(value: Decimal) -> str:
    """Return a quantity as text, whole or in thousandths."""
    return str(int(value)) if value == value.to_integral_value() else f"{int(value * 1000)}m"
