"""What a first user does with a platform that is ready, through its public HTTP API alone: see a pipeline run."""

from launcher.demo.repository import Source, find_source
from launcher.demo.walk import Demo, Walking

__all__ = ["Demo", "Source", "Walking", "find_source"]
