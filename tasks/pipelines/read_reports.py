"""Reading the reports of a stage before its checkout is gone. Nothing that is wrong with them changes how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.kernel.tracing import span
from app.pipelines.definition import expand
from tasks.patience import patiently
from tasks.pipelines.artifacts import ArtifactNameRefused, ArtifactsTooLarge, Found, collect
from tasks.pipelines.junit import LONGEST_TEXT, MOST_BYTES, MOST_CASES, Case, ReportRefused, read_cases
from tasks.pipelines.secrets import Secrets
from tasks.pipelines.stage_work import StageWork
from tasks.pipelines.workplace import Workplace

MOST_FILES = 1000
MOST_TEXT = 16 * 1024 * 1024
LONGEST_NAME = 1000
LONGEST_MESSAGE = 2000
LONGEST_OUTPUT = 16 * 1024
CUT = " [cut]"


@dataclass(slots=True)
class _Reading:
    """What was found; `text_left` is how much output may yet be kept, in characters."""

    secrets: Secrets
    cases: list[dict[str, Any]] = field(default_factory=list)
    faults: list[dict[str, str]] = field(default_factory=list)
    text_left: int = MOST_TEXT

    def read(self, found: Found) -> None:
        """Take the cases of one file; those before a fault are kept."""
        try:
            for case in _cases_of(found, MOST_CASES - len(self.cases)):
                self.cases.append(self._row(case))
        except ReportRefused as error:
            self.fault(found.name, str(error))
        except OSError as error:
            self.fault(found.name, f"It cannot be read: {error.strerror}.")

    def fault(self, file: str, reason: str) -> None:
        """Note what was wrong."""
        self.faults.append({"file": self.secrets.hide(file), "reason": self.secrets.hide(reason)})

    def _row(self, case: Case) -> dict[str, Any]:
        wanted = case.status != "passed" or case.flaky
        output = self._show(case.output, LONGEST_OUTPUT, is_cut=case.is_cut) if wanted else ""
        output = output if len(output) <= self.text_left else ""
        self.text_left -= len(output)
        return {
            "suite": self._show(case.suite, LONGEST_NAME),
            "class_name": self._show(case.class_name, LONGEST_NAME),
            "name": self._show(case.name, LONGEST_NAME),
            "file": self._show(case.file, LONGEST_NAME) if case.file else None,
            "status": case.status,
            "seconds": case.seconds,
            "message": self._show(case.message, LONGEST_MESSAGE) or None,
            "output": output or None,
            "flaky": case.flaky,
        }

    def _show(self, text: str, most: int, *, is_cut: bool = False) -> str:
        """Hide secrets, then cut. Where the text was cut before, a secret may have been cut with it: its end goes."""
        if is_cut or len(text) > LONGEST_TEXT:
            text = text[:LONGEST_TEXT][: -self.secrets.masker.longest or None]
        shown = self.secrets.hide(text)
        return shown if len(shown) <= most else shown[: most - len(CUT)] + CUT


def read_reports(work: StageWork, place: Workplace) -> dict[str, int]:
    """Record the tests that the stage's reports tell of; returns what its result says of them."""
    wanted = work.briefing.planned.reports
    if wanted is None or not wanted.junit:
        return {}
    with span("read reports", stage=work.briefing.planned.name) as told:
        reading = _Reading(work.secrets)
        globs = [expand(glob, work.variables) for glob in wanted.junit]
        for found in _find(reading, globs, place.root):
            work.run.check()
            reading.read(found)
        patiently(work.run, lambda: work.recorder.record_report(reading.cases, reading.faults))
        told.note(tests=len(reading.cases), faults=len(reading.faults))
    return {"tests": len(reading.cases)}


def _find(reading: _Reading, globs: list[str], root: Path) -> list[Found]:
    try:
        found = collect(root, globs, max_bytes=2**63, max_files=MOST_FILES)
    except (ArtifactsTooLarge, ArtifactNameRefused) as error:
        reading.fault(", ".join(globs), error.message)
        return []
    if not found:
        reading.fault(", ".join(globs), "No file matches.")
    return found


def _cases_of(found: Found, most: int) -> Iterator[Case]:
    if found.size > MOST_BYTES:
        raise ReportRefused(f"It has {found.size:,} bytes; at most {MOST_BYTES:,} are read.")
    with found.path.open("rb") as source:
        yield from read_cases(source, most_cases=most)
