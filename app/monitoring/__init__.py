"""Monitoring: series of numbers under names and labels, kept compactly, and what is asked of them; rules over them, and
their alerts. Higher rooms reach series with `visible_series` and their samples with `read_points`, take points of
clients with `read_columns`, say what is anomalous with `tells_anomalies`, and how an alert was delivered with
`record_attempt`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app.monitoring.alerting.evaluating import evaluate_rule, take_due_rules, tells_anomalies
from app.monitoring.alerting.groups import tell_due
from app.monitoring.alerting.rules import forget_alerts
from app.monitoring.alerting.story import record_attempt
from app.monitoring.alerting.trials import run_trial
from app.monitoring.errors import BodyTooLarge, QueryTooWide, TooManySeries
from app.monitoring.folding import fold_some, forget_silent, make_metric_partitions, old_metrics
from app.monitoring.incoming import MOST_POINTS, Incoming, read_columns
from app.monitoring.intents import FoldSamples, KeepMetrics, TryRule, WatchRules
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
    "TryRule",
    "WatchRules",
    "Written",
    "blueprints",
    "evaluate_rule",
    "find_name_fault",
    "find_place",
    "fold_some",
    "forget_alerts",
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
    "record_attempt",
    "run_trial",
    "take_due_rules",
    "tell_due",
    "tells_anomalies",
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
