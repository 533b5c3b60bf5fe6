"""Monitoring: series of numbers under names and labels, pushed or pulled from sources and kept compactly, and what is
asked of them; rules over them, and their alerts. Higher rooms reach series with `visible_series` and their samples with
`read_points`, take points of clients with `read_columns`, and say what is anomalous with `tells_anomalies`. Workers
take sources with `take_due_pulls` and tell what came of it with `record_pull` or `record_failure`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app.monitoring.alerting.episodes import FIRING
from app.monitoring.alerting.evaluating import evaluate_rule, note_fault, take_due_rules, tells_anomalies
from app.monitoring.alerting.groups import find_muted, tell_due
from app.monitoring.alerting.queries import firing_alerts
from app.monitoring.alerting.rules import forget_alerts
from app.monitoring.alerting.trials import run_trial
from app.monitoring.comparing import compare_usages, shares_of_clusters
from app.monitoring.errors import BodyTooLarge, QueryTooWide, TooManySeries
from app.monitoring.folding import fold_some, forget_silent, make_metric_partitions, old_metrics
from app.monitoring.forecasting import STATES as FORECAST_STATES
from app.monitoring.forecasting import Forecast, forecast
from app.monitoring.incoming import MOST_POINTS, MOST_SERIES, Incoming, Received, read_columns
from app.monitoring.intents import CollectMetrics, FoldSamples, KeepMetrics, PullMetrics, TryRule, WatchRules
from app.monitoring.language import work_out
from app.monitoring.models import KUBERNETES, Alert, MetricSeries, MetricSource
from app.monitoring.naming import find_name_fault, name_in, text_of
from app.monitoring.outlooks import KINDS as FILLING_KINDS
from app.monitoring.outlooks import Outlook, choose_outlooks, read_outlooks
from app.monitoring.places import AT_WORK
from app.monitoring.points import MICRO, Points, pack, pack_columns, unpack, unpack_columns
from app.monitoring.reading import moment_of, read_points, series_in, visible_series
from app.monitoring.sources.access import Asked, SourceAccess
from app.monitoring.sources.pulling import (
    Pull,
    PullFailed,
    make_cluster_sources,
    open_source,
    record_failure,
    record_pull,
    take_due_pulls,
    take_pulls_of,
)
from app.monitoring.writing import Place, Written, write_samples

if TYPE_CHECKING:
    from app.monitoring.routes import blueprints, find_place, own_organization

__all__ = [
    "AT_WORK",
    "FILLING_KINDS",
    "FIRING",
    "FORECAST_STATES",
    "KUBERNETES",
    "MICRO",
    "MOST_POINTS",
    "MOST_SERIES",
    "Alert",
    "Asked",
    "BodyTooLarge",
    "CollectMetrics",
    "FoldSamples",
    "Forecast",
    "Incoming",
    "KeepMetrics",
    "MetricSeries",
    "MetricSource",
    "Outlook",
    "Place",
    "Points",
    "Pull",
    "PullFailed",
    "PullMetrics",
    "QueryTooWide",
    "Received",
    "SourceAccess",
    "TooManySeries",
    "TryRule",
    "WatchRules",
    "Written",
    "blueprints",
    "choose_outlooks",
    "compare_usages",
    "evaluate_rule",
    "find_muted",
    "find_name_fault",
    "find_place",
    "firing_alerts",
    "fold_some",
    "forecast",
    "forget_alerts",
    "forget_silent",
    "make_cluster_sources",
    "make_metric_partitions",
    "moment_of",
    "name_in",
    "note_fault",
    "old_metrics",
    "open_source",
    "own_organization",
    "pack",
    "pack_columns",
    "read_columns",
    "read_outlooks",
    "read_points",
    "record_failure",
    "record_pull",
    "run_trial",
    "series_in",
    "shares_of_clusters",
    "take_due_pulls",
    "take_due_rules",
    "take_pulls_of",
    "tell_due",
    "tells_anomalies",
    "text_of",
    "unpack",
    "unpack_columns",
    "visible_series",
    "work_out",
    "write_samples",
]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone: workers enter this room too.
    if name in ("blueprints", "find_place", "own_organization"):
        return getattr(import_module("app.monitoring.routes"), name)
    raise AttributeError(name)
