"""Which images may be used here, and whether they are fetched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tasks.pipelines.gateways.containers.base import ImageRefused, Pull

_IMAGE = re.compile(
    r"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/)?[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*"
    r"(?P<tag>:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?P<digest>@sha256:[0-9a-f]{64})?"
)


@dataclass(frozen=True, slots=True)
class ImageRules:
    """`allowed` are globs over whole names as they are written, such as `python:*`; none allows all. What a glob says
    before its first `/` is all that it allows there: else `python:*` would allow `python:5000/any`, of a host `python`.
    """

    allowed: Sequence[str] = ()
    pull: Pull = "if-missing"

    def admit(self, image: str) -> str:
        """Return the image's name with its tag spelled out; raises ImageRefused."""
        match = _IMAGE.fullmatch(image)
        if match is None:
            raise ImageRefused(f"{image[:200]!r} is not the name of an image.")
        whole = image if match["tag"] or match["digest"] else f"{image}:latest"
        if self.allowed and not any(_matches(whole, glob) for glob in self.allowed):
            raise ImageRefused(f"The image {whole[:200]} is not one that this installation allows.")
        return whole


def _matches(image: str, glob: str) -> bool:
    first, slash, _ = image.partition("/")
    first_allowed, slash_allowed, _ = glob.partition("/")
    return slash == slash_allowed and fnmatchcase(first, first_allowed) and fnmatchcase(image, glob)
