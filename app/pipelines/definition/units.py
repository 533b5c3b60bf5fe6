"""Durations such as `1h30m`, sizes such as `512Mi` and processor shares such as `500m`, as people write them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.pipelines.definition.faults import Faults, shorten
from app.pipelines.definition.forms import Number, Schema
from app.pipelines.definition.tree import Node, Scalar

_DURATION: Final = r"(?=[0-9])(?:[0-9]{1,6}d)?(?:[0-9]{1,6}h)?(?:[0-9]{1,6}m)?(?:[0-9]{1,6}s)?"
_SIZE: Final = r"([0-9]{1,15}(?:\.[0-9]{1,3})?) ?(?:([KMGT])(i?)B?|B)"
_CPUS: Final = r"[0-9]{1,6}m"
_SECONDS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_POWERS: Final = {"K": 1, "M": 2, "G": 3, "T": 4}


@dataclass(frozen=True)
class Quantity:
    """A number in the base unit, or text with a unit that `convert` turns into it. The bounds hold for both."""

    number: Number
    pattern: str
    convert: Callable[[str], int | float]
    wanted: str

    def read(self, node: Node, path: str, faults: Faults) -> int | float | None:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            return self.number.read(node, path, faults)
        if not re.fullmatch(self.pattern, node.value):
            faults.add(path, f"is {shorten(node.value)}; it must be {self.wanted}")
            return None
        amount = self.convert(node.value)
        return self.number.read(Scalar(amount, node.text), path, faults)

    def schema(self) -> Schema:
        return {"anyOf": [self.number.schema(), {"type": "string", "pattern": f"^(?:{self.pattern})$"}]}


def duration(at_least: int, at_most: int) -> Quantity:
    """Read as seconds."""
    return Quantity(Number(at_least, at_most), _DURATION, to_seconds, "seconds, or text such as 90s, 10m or 1h30m")


def size(at_least: int, at_most: int) -> Quantity:
    """Read as bytes."""
    return Quantity(Number(at_least, at_most), _SIZE, to_bytes, "bytes, or text such as 512Mi, 1Gi or 500MB")


def cpus(at_least: float, at_most: float) -> Quantity:
    """Read as a number of processors."""
    number = Number(at_least, at_most, whole=False)
    return Quantity(
        number, _CPUS, lambda text: int(text[:-1]) / 1000, "a number such as 2 or 0.5, or text such as 500m"
    )


def to_seconds(text: str) -> int:
    """Seconds of `90s`, `10m`, `1h30m` or `30d`."""
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9]+)([dhms])", text))


def to_cpus(text: str) -> float:
    """Processors of `500m`: thousandths, as Kubernetes writes them."""
    return int(text[:-1]) / 1000


def to_bytes(text: str) -> int:
    """Bytes of `512Mi` or `512MiB` (1024²), `500M` or `500MB` (1000²), or `10B`."""
    match = re.fullmatch(_SIZE, text)
    if match is None:
        raise ValueError(f"{text} is no size")
    number, prefix, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** _POWERS.get(prefix, 0))
