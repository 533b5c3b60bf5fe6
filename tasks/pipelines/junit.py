"""Reading JUnit XML, the form in which most test runners tell how each test went.

The dialects differ in what they leave out: pytest, Surefire, jest-junit, vitest and go-junit-report are known. The file
is hostile: it is read as a stream, within limits, and a document type, which is what entities need, is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.parsers import expat

BLOCK = 64 * 1024
MOST_BYTES = 64 * 1024 * 1024
MOST_CASES = 50_000
MOST_DEPTH = 100
MOST_ELEMENTS = 2_000_000
LONGEST_TEXT = 64 * 1024

_OUTCOMES = {"failure": "failed", "error": "error", "skipped": "skipped"}
_SECOND_TRIES = frozenset({"flakyFailure", "flakyError", "rerunFailure", "rerunError"})
_OUTPUTS = frozenset({"system-out", "system-err"})
_GRAVITY = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}


class ReportRefused(Exception):
    """A report cannot be read; the message says why, in words for whoever wrote the report."""


@dataclass(slots=True)
class Case:
    """One test as a report tells of it. `output` is the trace of a failure and what the test printed, or the
    first part of it where it `is_cut`.

    `flaky` is set where the runner itself tried the test again and it passed.
    """

    suite: str
    class_name: str
    name: str
    file: str | None
    seconds: float
    status: str = "passed"
    message: str = ""
    output: str = ""
    flaky: bool = False
    is_cut: bool = False


def read_cases(source: BinaryIO, *, most_cases: int = MOST_CASES) -> Iterator[Case]:
    """Yield the cases of one report in their order; raises ReportRefused."""
    reader = _Reader()
    taken = size = 0
    while block := source.read(BLOCK):
        size += len(block)
        if size > MOST_BYTES:
            raise ReportRefused(f"It has more than {MOST_BYTES:,} bytes.")
        reader.feed(block)
        for case in reader.take():
            taken += 1
            if taken > most_cases:
                raise ReportRefused(f"There are more than {most_cases:,} tests.")
            yield case
    reader.end()


@dataclass(slots=True)
class _Reader:
    """What expat calls: the elements that are open, the case that is being read, and those that are done."""

    done: list[Case] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    suites: list[str] = field(default_factory=list)
    case: Case | None = None
    text: list[str] | None = None
    room: int = 0
    elements: int = 0
    parser: expat.XMLParserType = field(init=False)

    def __post_init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._close
        self.parser.CharacterDataHandler = self._add_text
        self.parser.StartDoctypeDeclHandler = _refuse_document_type

    def feed(self, block: bytes) -> None:
        """Read on; raises ReportRefused."""
        _parse(self.parser, block, last=False)

    def end(self) -> None:
        """Refuse what ends too early."""
        _parse(self.parser, b"", last=True)

    def take(self) -> list[Case]:
        """Return the cases that were read whole since the last time."""
        taken, self.done = self.done, []
        return taken

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        if not self.open and name not in ("testsuites", "testsuite"):
            raise ReportRefused(f"It is no JUnit report: it begins with <{name[:50]}>.")
        self.open.append(name)
        self.elements += 1
        if len(self.open) > MOST_DEPTH:
            raise ReportRefused(f"It nests more than {MOST_DEPTH} levels.")
        if self.elements > MOST_ELEMENTS:
            raise ReportRefused(f"It has more than {MOST_ELEMENTS:,} elements.")
        if name == "testsuite":
            self.suites.append(attributes.get("name", ""))
        elif name == "testcase" and self.suites:
            self.case = _case(attributes, self.suites[-1])
        elif self.case is not None:
            self._begin_inside(self.case, name, attributes)

    def _begin_inside(self, case: Case, name: str, attributes: dict[str, str]) -> None:
        if name in _SECOND_TRIES:
            case.flaky = True
        status = _OUTCOMES.get(name)
        if status is not None and _GRAVITY[status] >= _GRAVITY[case.status]:
            case.status = status
            case.message = case.message or attributes.get("message") or attributes.get("type", "")
        if (status is not None or name in _OUTPUTS or name in _SECOND_TRIES) and self.text is None:
            self.text, self.room = [], LONGEST_TEXT - len(case.output)

    def _add_text(self, data: str) -> None:
        if self.text is None or self.case is None:
            return
        if len(data) > self.room:
            self.case.is_cut = True
        self.text.append(data[: self.room])
        self.room = max(self.room - len(data), 0)

    def _close(self, _: str) -> None:
        name = self.open.pop()
        if name == "testsuite":
            self.suites.pop()
        elif name == "testcase" and self.case is not None:
            self.case.flaky = self.case.flaky and self.case.status == "passed"
            self.done.append(self.case)
            self.case = None
        elif self.text is not None and (name in _OUTCOMES or name in _OUTPUTS or name in _SECOND_TRIES):
            self._keep_text(name)

    def _keep_text(self, name: str) -> None:
        text, self.text = "".join(self.text or ()).strip("\n"), None
        if self.case is None or not text:
            return
        if name == "skipped":
            self.case.message = self.case.message or text
        else:
            self.case.output += f"\n{text}" if self.case.output else text


def _parse(parser: expat.XMLParserType, block: bytes, *, last: bool) -> None:
    try:
        parser.Parse(block, last)
    except expat.ExpatError as error:
        said = expat.ErrorString(error.code)
        raise ReportRefused(f"It is no whole XML: {said}, line {error.lineno}, column {error.offset + 1}.") from None
    except (LookupError, ValueError):
        raise ReportRefused("It is in an encoding that is not known.") from None


def _refuse_document_type(*_: object) -> None:
    raise ReportRefused("It declares a document type; entities are not read.")


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]


def _case(attributes: dict[str, str], suite: str) -> Case:
    def given(*names: str) -> str:
        return next((attributes[name] for name in names if attributes.get(name)), "")

    return Case(
        suite=suite,
        class_name=given("classname", "class"),
        name=given("name"),
        file=given("file", "filepath") or None,
        seconds=_seconds(given("time")),
    )


def _seconds(text: str) -> float:
    """Read `0.5`, or `1,234.5` as Surefire writes it in some locales; what is no time is none."""
    try:
        seconds = float(text.replace(",", "")) if text else 0.0
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and 0 <= seconds < 10**7 else 0.0
