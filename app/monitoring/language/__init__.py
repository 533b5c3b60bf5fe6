"""The language of queries: a part of PromQL, with the same words and the same figures. Pure: no IO.

A query is a selector (`cpu_usage{pod="web"}`), a function over a range of it (`rate(requests_total[5m])`), or an
aggregation of either (`sum by (pod) (…)`, `quantile(0.95, …)`). `docs/monitoring.md` describes all of it.
"""

from app.monitoring.language.evaluate import Line, Source, evaluate
from app.monitoring.language.nodes import Aggregation, Expression, Matcher, Over, Selector, selector_of
from app.monitoring.language.parser import parse, read_duration
from app.monitoring.language.ranges import work_out

__all__ = [
    "Aggregation",
    "Expression",
    "Line",
    "Matcher",
    "Over",
    "Selector",
    "Source",
    "evaluate",
    "parse",
    "read_duration",
    "selector_of",
    "work_out",
]
