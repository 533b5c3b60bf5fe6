"""A run as a picture: its stages below each other, their steps as bars along the time they took."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any

LABELS, WIDTH, ROW, TOP, RIGHT = 110, 640, 34, 54, 40
COLOURS = {"succeeded": "#2da44e", "failed": "#cf222e", "skipped": "#8c959f"}


def draw(title: str, execution: dict[str, Any]) -> str:
    """Return an execution, as the API tells of it once it has ended, as SVG: time runs to the right, in seconds."""
    began, seconds = _when(execution["created_at"]), seconds_of(execution)
    scale = WIDTH / seconds
    height = TOP + ROW * len(execution["stages"]) + 30
    size = f'width="{LABELS + WIDTH + RIGHT}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="12" y="24" font-size="15">{escape(title)}: {execution["status"]} in {seconds:.1f} s</text>',
    ]
    parts += _ruler(seconds, scale, height)
    for row, stage in enumerate(execution["stages"]):
        top = TOP + ROW * row
        parts.append(f'<text x="12" y="{top + 16}">{escape(stage["name"])}</text>')
        for step in stage["steps"]:
            if step["started_at"] and step["finished_at"]:
                parts += _bar(step, (_when(step["started_at"]) - began).total_seconds(), scale, top)
    return "\n".join([*parts, "</svg>"]) + "\n"


def seconds_of(execution: dict[str, Any]) -> float:
    """Return the seconds from an ended execution's 202 to its end."""
    return (_when(execution["finished_at"]) - _when(execution["created_at"])).total_seconds()


def _bar(step: dict[str, Any], after: float, scale: float, top: int) -> list[str]:
    took = (_when(step["finished_at"]) - _when(step["started_at"])).total_seconds()
    left, width = LABELS + after * scale, max(2.0, took * scale)
    name, tip = step["name"], f"{step['name']}: {step['status']}, {took:.1f} s"
    bar = f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="24" rx="3" fill="{COLOURS[step["status"]]}">'
    drawn = [f"{bar}<title>{escape(tip)}</title></rect>"]
    # Where the name would run over its bar's end, the tip alone tells it.
    if width > 7.5 * len(name):
        drawn.append(f'<text x="{left + 6:.1f}" y="{top + 16}" fill="white">{escape(name)}</text>')
    return drawn


def _ruler(seconds: float, scale: float, height: int) -> list[str]:
    pace = next(pace for pace in (1, 2, 5, 10, 30, 60, 300) if seconds / pace <= 10 or pace == 300)
    drawn = []
    for mark in range(0, int(seconds) + 1, pace):
        left = f"{LABELS + mark * scale:.1f}"
        drawn.append(f'<path d="M{left} 40V{height - 24}" stroke="#d0d7de"/>')
        drawn.append(f'<text x="{left}" y="{height - 10}" text-anchor="middle" fill="#57606a">{mark} s</text>')
    return drawn


def _when(text: str) -> datetime:
    return datetime.fromisoformat(text)
