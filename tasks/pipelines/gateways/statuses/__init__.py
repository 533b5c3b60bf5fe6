"""Statuses of commits on GitHub, GitLab and Gitea, over their own APIs."""

from tasks.pipelines.gateways.statuses.base import CommitStatus, State, Statuses, StatusHostAway, StatusRefused
from tasks.pipelines.gateways.statuses.http import HttpStatuses
from tasks.pipelines.gateways.statuses.requests import Call, make_call

__all__ = [
    "Call",
    "CommitStatus",
    "HttpStatuses",
    "State",
    "StatusHostAway",
    "StatusRefused",
    "Statuses",
    "make_call",
]
