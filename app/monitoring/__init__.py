"""Monitoring: series of numbers under names and labels, kept compactly, and what is asked of them. Higher rooms reach
series with `find_series`, their samples with `read_points`, and take points of clients with `read_columns`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app.monitoring.errors import BodyTooLarge, QueryTooWide, TooManySeries
from app.monitoring.folding import fold_some, forget_silent, make_metric_partitions, old_metrics
from app.monitoring.incoming import MOST_POINTS, Incoming, read_columns
from app.monitoring.intents import FoldSamples, KeepMetrics
from app.monitoring.models import MetricSeries
from app.monitoring.naming import find_name_fault, name_in, text_of
from app.monitoring.points import MICRO, Points, pack, pack_columns, unpack, unpack_columns
from app.monitoring.reading import moment_of, read_points, visible_series
from app.monitoring.writing import Place, Written, write_samples

if TYPE_CHECKING:
    from app.monitoring.routes import blueprints, find_place, own_organization

__all__ = [
    "MICRO",
    "MOST_POINTS",
    "BodyTooLarge",
    "FoldSamples",
    "Incoming",
    "KeepMetrics",
    "MetricSeries",
    "Place",
    "Points",
    "QueryTooWide",
    "TooManySeries",
    "Written",
    "blueprints",
    "find_name_fault",
    "find_place",
    "fold_some",
    "forget_silent",
    "make_metric_partitions",
    "moment_of",
    "name_in",
    "old_metrics",
    "own_organization",
    "pack",
    "pack_columns",
    "read_columns",
    "read_points",
    "text_of",
    "unpack",
    "unpack_columns",
    "visible_series",
    "write_samples",
]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone: workers enter this room too.
    if name in ("blueprints", "find_place", "own_organization"):
        return getattr(import_module("app.monitoring.routes"), name)
    raise AttributeError(name)
