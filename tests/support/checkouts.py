"""Requests for checkouts, with what tests mostly want."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.pipelines.gateways.base import CheckoutRequest, Source

MEBIBYTE = 1024 * 1024


def go_on() -> None:
    """A check that lets the work go on."""


def request_of(url: str, into: Path, branch: str | None = "main", **more: Any) -> CheckoutRequest:
    """Return a request for a branch within half a minute and 50 MiB."""
    facts = {"commit_sha": None, "timeout": 30.0, "max_bytes": 50 * MEBIBYTE} | more
    return CheckoutRequest(url, branch=branch, into=into, **facts)


def read_file(source: Source, request: CheckoutRequest, path: str) -> bytes:
    """Read one file of a commit."""
    with source.reading(request, go_on) as read:
        return read(path)
