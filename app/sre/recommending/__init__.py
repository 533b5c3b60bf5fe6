"""Recommendations, found in what was last seen of a cluster and in what its containers have used. Pure: no IO.

`group_workloads` makes workloads of an inventory, `find_all` says what to do about them, `measure_effect` what came of
it. `docs/recommendations.md` has every formula.
"""

from app.sre.recommending.effects import measure_effect
from app.sre.recommending.findings import PRIORITIES, Finding, Subject, agrees, has_changed
from app.sre.recommending.rules import HISTORY, find_all, find_certificate, renew_command
from app.sre.recommending.usage import PodUse, measure_use
from app.sre.recommending.workloads import Workload, find_workload, group_workloads

__all__ = [
    "HISTORY",
    "PRIORITIES",
    "Finding",
    "PodUse",
    "Subject",
    "Workload",
    "agrees",
    "find_all",
    "find_certificate",
    "find_workload",
    "group_workloads",
    "has_changed",
    "measure_effect",
    "measure_use",
    "renew_command",
]
