"""Reads the labelled series: the Numenta Anomaly Benchmark, Microsoft's Cloud Monitoring Dataset, made faults."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.anomaly import made

Times = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was wrong from its first to its last second, both included."""

    start: int
    end: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Values at seconds since 1970, and what was wrong with them."""

    name: str
    times: Times
    values: Values
    events: tuple[Event, ...]

    @property
    def step(self) -> int:
        """The usual seconds between two values."""
        return int(np.median(np.diff(self.times)))


def suites(data: Path | None) -> dict[str, list[Series]]:
    """Return every suite that can be had: those of the folder, and made faults in any case."""
    if data is None:
        return {"made faults": made_series(None)}
    return {
        "nab": list(_nab(data / "nab")),
        "cloud-monitoring": list(_cloud_monitoring(data / "cloud-monitoring")),
        "made faults": made_series(data / "make_faults.py"),
    }


def made_series(maker: Path | None, seed: int = 1, count: int = 60) -> list[Series]:
    """Return series with made faults: by the folder's own maker (`gen(seed, n)`), or by ours where there is none."""
    generate = made.generate if maker is None or not maker.exists() else _load(maker).gen
    return [
        Series(
            f"{found['name']} {found['kind']}",
            np.asarray(found["t"], dtype=np.int64),
            np.asarray(found["x"], dtype=np.float64),
            tuple(Event(start, end, kind) for start, end, kind in found["events"]),
        )
        for found in generate(seed, count)
    ]


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _nab(folder: Path) -> Iterator[Series]:
    for name, windows in json.loads((folder / "windows.json").read_text()).items():
        lines = list(csv.reader((folder / name).read_text().splitlines()))[1:]
        # Three files run back for an hour: scans are given points in the order of their times.
        rows = sorted(((_seconds(row[0]), float(row[1])) for row in lines), key=lambda row: row[0])
        times = np.array([row[0] for row in rows], dtype=np.int64)
        values = np.array([row[1] for row in rows])
        yield Series(name, times, values, tuple(Event(_seconds(start), _seconds(end)) for start, end in windows))


def _cloud_monitoring(folder: Path) -> Iterator[Series]:
    for path in sorted(folder.rglob("*.csv")):
        rows = list(csv.reader(path.read_text().splitlines()))[1:]
        times = np.array([_seconds(row[0]) for row in rows], dtype=np.int64)
        values = np.array([float(row[1]) if row[1] else np.nan for row in rows])
        labels = np.array([int(row[2]) for row in rows])
        yield Series(path.stem, times, values, _runs(times, labels))


def _runs(times: Times, labels: NDArray[np.int64]) -> tuple[Event, ...]:
    starts = np.flatnonzero(np.diff(labels, prepend=0) == 1)
    ends = np.flatnonzero(np.diff(labels, append=0) == -1)
    return tuple(Event(int(times[start]), int(times[end])) for start, end in zip(starts, ends, strict=True))


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text.rstrip("Z")).replace(tzinfo=UTC).timestamp())
