"""Paths of files that are kept: Headrace knows those within the checkout only."""

from __future__ import annotations

from typing import Final

_WORKSPACES: Final = ("${{ github.workspace }}/", "${{github.workspace}}/", "$CI_PROJECT_DIR/", "${CI_PROJECT_DIR}/")


def outside(path: str) -> bool:
    """Tell whether a path is not one within the checkout."""
    inner = within(path)
    starts = inner.startswith(("~", "/", "$HOME", "${HOME", "${{ runner.", "${{ env.HOME"))
    return starts or ".." in inner.split("/") or "\\" in inner


def within(path: str) -> str:
    """Return a path as it is below the checkout."""
    inner = path.strip()
    for workspace in _WORKSPACES:
        inner = inner.removeprefix(workspace)
    return inner.removeprefix("./").rstrip("/") or "**"
