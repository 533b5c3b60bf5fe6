"""The disks that hold what is kept in files, as Prometheus reads them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

LOCAL = "file://"


def read_stores(stores: Mapping[str, str]) -> Iterator[Metric]:
    """Return the bytes that are free, and that there are, for each store which is a folder of this machine."""
    free = GaugeMetricFamily("headrace_store_free_bytes", "Bytes left on a store's disk", labels=["store"])
    size = GaugeMetricFamily("headrace_store_size_bytes", "Bytes of a store's disk", labels=["store"])
    for name, address in stores.items():
        if address.startswith(LOCAL):
            with suppress(OSError):
                disk = os.statvfs(_existing(Path(address.removeprefix(LOCAL))))
                free.add_metric([name], disk.f_bavail * disk.f_frsize)
                size.add_metric([name], disk.f_blocks * disk.f_frsize)
    yield from (free, size)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it: a store makes its own when it is first written to."""
    return next(path for path in (folder, *folder.parents) if path.exists())
