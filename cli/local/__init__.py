"""Running a pipeline here: the platform's parser, plan and sandbox, without its server, database and queues."""

from cli.local.pipeline import LocalRun, Wishes
from cli.local.screen import Screen
from cli.local.source import Commit, Git

__all__ = ["Commit", "Git", "LocalRun", "Screen", "Wishes"]
