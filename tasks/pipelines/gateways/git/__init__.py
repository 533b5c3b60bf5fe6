"""Source code by the real git, which is kept on a short leash: hostile addresses, servers and repositories are its daily
bread. It reads no configuration but ours, speaks to no host but the one asked for, runs nothing the repository brings, and
ends with the worker, at its deadline, or when the work is cancelled.
"""

from tasks.pipelines.gateways.git.source import GitSource

__all__ = ["GitSource"]
