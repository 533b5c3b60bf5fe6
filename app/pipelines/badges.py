"""Badges: a pipeline's name and how its newest run ended, as a small picture. Pure."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

COLORS: Final = {
    "succeeded": ("passing", "#2a7f3f"),
    "failed": ("failing", "#c0392b"),
    "timed_out": ("timed out", "#c0392b"),
    "cancelled": ("cancelled", "#6b6b6b"),
    "running": ("running", "#9a6700"),
    "queued": ("queued", "#9a6700"),
    "waiting": ("waiting", "#9a6700"),
}
UNKNOWN: Final = ("no runs", "#6b6b6b")
MOST_LABEL: Final = 40
LETTER: Final = 6.6
PADDING: Final = 12


def draw_badge(label: str, status: str | None) -> str:
    """Return an SVG of 20 pixels' height; the widths are near those of the letters, and the texts are fitted in."""
    said, color = COLORS.get(status or "", UNKNOWN)
    label = label if len(label) <= MOST_LABEL else f"{label[: MOST_LABEL - 1]}…"
    left, right = _width(label), _width(said)
    shown = escape(label, {'"': "&quot;"})
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img"'
        f' aria-label="{shown}: {said}"><title>{shown}: {said}</title>'
        f'<rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{color}"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f"{_text(shown, left / 2, left)}{_text(said, left + right / 2, right)}</g></svg>\n"
    )


def _width(text: str) -> int:
    return round(len(text) * LETTER) + PADDING


def _text(text: str, middle: float, width: int) -> str:
    return f'<text x="{middle:g}" y="14" textLength="{width - PADDING}">{text}</text>'
