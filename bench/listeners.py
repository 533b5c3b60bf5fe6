"""A thousand listeners of one topic: how late they hear, and what each of them costs the stream process."""

from __future__ import annotations

import resource

from bench.findings import Finding, Goal, percentile
from bench.ground import Ground
from bench.streams import StreamBench

LISTENERS = 1000


def measure(ground: Ground) -> list[Finding]:
    """Listen, tell, and look at the stream process."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    programs = ground.programs("streams", {})
    found = StreamBench(programs.folder, programs.settings.database_url, programs.settings.redis_url).measure(
        LISTENERS, topics=1
    )
    return [
        Finding("1,000 listeners, an event heard after, p50", 1e3 * percentile(found.delays, 0.5), "ms"),
        Finding("the same, p99", 1e3 * percentile(found.delays, 0.99), "ms", goal=Goal(80, "figure")),
        Finding("memory a listener", found.kilobytes, "kB", goal=Goal(20, "figure")),
        Finding("CPU an event and listener", found.microseconds, "µs", "bare send", found.bare_microseconds),
    ]
