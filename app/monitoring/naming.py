"""What a series goes by: a name and labels, as text `name{label="value"}`, and the key by which it is found again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from uuid import UUID

LONGEST_NAME: Final = 200
LONGEST_LABEL: Final = 100
LONGEST_VALUE: Final = 1000
MOST_LABELS: Final = 64

_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_BRACES: Final = frozenset('{}"\\')


def find_name_fault(name: object) -> str | None:
    """Return what is wrong with a series' name, if anything."""
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        return f"Must be a text of 1 to {LONGEST_NAME} characters."
    if not name.isprintable() or not _BRACES.isdisjoint(name):
        return 'Must not contain control characters, nor any of {}"\\.'
    return None


def find_labels_fault(labels: object) -> str | None:
    """Return what is wrong with labels, if anything."""
    if not isinstance(labels, Mapping):
        return "Must be an object of texts."
    if len(labels) > MOST_LABELS:
        return f"Must not be more than {MOST_LABELS}."
    faults = (_find_label_fault(name, value) for name, value in labels.items())
    return next((fault for fault in faults if fault), None)


def _find_label_fault(name: object, value: object) -> str | None:
    if not isinstance(name, str) or len(name) > LONGEST_LABEL or not _is_label(name):
        return f"The name of a label must be at most {LONGEST_LABEL} of A-Z a-z 0-9 _ . / -, and begin with a letter."
    if not isinstance(value, str) or len(value) > LONGEST_VALUE or not (value.isprintable() or value == ""):
        return f"The value of a label must be a text of at most {LONGEST_VALUE} characters, none of them a control."
    return None


@lru_cache(4096)
def _is_label(name: str) -> bool:
    return name != "__name__" and _LABEL.fullmatch(name) is not None


def clean(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels in the order of their names; one that is empty is the same as none."""
    return {name: labels[name] for name in sorted(labels) if labels[name]}


def text_of(name: str, labels: Mapping[str, str]) -> str:
    """Return how a series is written: its name, and its labels in braces if it has any."""
    if not labels:
        return name
    said = ",".join(f"{label}={json.dumps(labels[label], ensure_ascii=False)}" for label in sorted(labels))
    return f"{name}{{{said}}}"


def name_in(text: str) -> str:
    """Return the name in the text of a series."""
    return text.partition("{")[0]


def fingerprint(name: str, labels: Mapping[str, str], *places: UUID | None) -> bytes:
    """Return the key of a series in its organization; in two workspaces or clusters it is two."""
    said = json.dumps([[str(place) for place in places], name, sorted(labels.items())])
    return hashlib.blake2b(said.encode(), digest_size=16).digest()
