"""Source code by the real git on a short leash: it reads no configuration but ours, speaks to no host but the one that
was checked, runs nothing that a repository brings, and ends with the worker, at its deadline, or when cancelled.
"""

from tasks.pipelines.gateways.git.source import GitSource

__all__ = ["GitSource"]
