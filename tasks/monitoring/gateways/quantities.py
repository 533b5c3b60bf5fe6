"""Amounts as Kubernetes writes them.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

_AMOUNT: Final = re.compile(r"([+-]?[0-9]{1,18}(?:\.[0-9]{0,18})?)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,3})?")
_UNITS: Final = {
    **{unit: 1000.0**-power for power, unit in enumerate("mun", start=1)},
    **{unit: 1000.0**power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", start=1)},
}


def read_quantity(text: Any) -> float | None:
    """Return an amount, such as 0.25 for `250m`; None for what is none."""
    found = _AMOUNT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    number, unit = found[1], found[2] or ""
    value = float(number) * _UNITS[unit] if unit in _UNITS else float(number + unit)
    return value if math.isfinite(value) else None
