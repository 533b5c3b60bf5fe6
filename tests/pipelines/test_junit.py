"""JUnit XML: what each runner's dialect says, and what is refused."""

from __future__ import annotations

import io
import itertools
import tracemalloc
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from tasks.pipelines.junit import LONGEST_TEXT, MOST_BYTES, Case, ReportRefused, read_cases

REPORTS = Path(__file__).parent / "reports"


def read(text: str | bytes, **limits: int) -> list[Case]:
    return list(read_cases(io.BytesIO(text if isinstance(text, bytes) else text.encode()), **limits))


def read_file(name: str) -> dict[str, Case]:
    return {case.name: case for case in read((REPORTS / name).read_bytes())}


class Repeated(io.RawIOBase):
    """A file of any length that takes no room: a beginning, and one block again and again."""

    def __init__(self, begin: bytes, block: bytes) -> None:
        self._blocks: Iterator[bytes] = itertools.chain([begin], itertools.repeat(block))
        self.given = 0

    def read(self, size: int = -1, /) -> bytes:
        block = next(self._blocks)
        self.given += len(block)
        return block


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("pytest.xml", {"passed": 3, "failed": 1, "error": 1, "skipped": 2}),
        ("node.xml", {"passed": 2, "failed": 1, "skipped": 1}),
        ("surefire.xml", {"passed": 2, "error": 1, "skipped": 1}),
        ("jest.xml", {"passed": 1, "failed": 1, "skipped": 1}),
        ("vitest.xml", {"passed": 1, "failed": 1}),
        ("gotest.xml", {"passed": 1, "failed": 1, "skipped": 1}),
    ],
)
def test_each_dialect_is_counted(file: str, counts: dict[str, int]) -> None:
    assert Counter(case.status for case in read_file(file).values()) == counts


def test_pytest_tells_of_failures_errors_and_reasons() -> None:
    cases = read_file("pytest.xml")
    failed = cases["test_fails"]
    assert (failed.suite, failed.class_name, failed.seconds) == ("pytest", "test_shop", 0.003)
    assert failed.message.startswith("AssertionError: assert ['apple', '<pear> & \u2018plum\u2019']")
    assert failed.output.endswith("test_shop.py:13: AssertionError")
    assert cases["test_errors"].message == 'failed on setup with "RuntimeError: no database"'
    assert cases["test_skipped"].message == "not on this machine"
    assert cases["test_is_read[a/b[c]]"].class_name == "test_shop.TestPrices"


def test_suites_inside_suites_are_read() -> None:
    cases = read_file("node.xml")
    assert (cases["adds"].suite, cases["rounds"].suite) == ("basket", "prices")
    assert "ERR_ASSERTION" in cases["fails"].output


def test_surefire_tells_of_tests_that_it_tried_again() -> None:
    cases = read_file("surefire.xml")
    adds, removes = cases["adds"], cases["removes"]
    assert (adds.status, adds.flaky, adds.seconds) == ("passed", True, 1230.1)
    assert "expected 2 but was 3" in adds.output
    assert (removes.status, removes.flaky, removes.message) == ("error", False, "no basket")
    assert removes.output.splitlines()[0] == "java.lang.RuntimeException: no basket"
    assert removes.output.endswith("warned")


def test_jest_names_files_and_gives_no_message() -> None:
    failed = read_file("jest.xml")["basket fails"]
    assert (failed.file, failed.message) == ("src/basket.test.js", "")
    assert failed.output.startswith("Error: expect(received)")


def test_go_skips_with_a_message_and_its_suites_have_outputs_of_their_own() -> None:
    cases = read_file("gotest.xml")
    assert "not yet" in cases["TestSkip"].message
    assert cases["TestCount/empty"].output == ""


@pytest.mark.parametrize("time", ["", "soon", "-1", "nan", "inf", "1e400", "9" * 400])
def test_a_time_that_is_none_counts_as_nothing(time: str) -> None:
    assert [case.seconds for case in read(f'<testsuite><testcase name="a" time="{time}"/></testsuite>')] == [0.0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "utf-8-sig"])
def test_encodings_that_a_report_names_are_read(encoding: str) -> None:
    named = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{named}"?><testsuite name="größe"><testcase name="ä"/></testsuite>'
    assert [(case.suite, case.name) for case in read(text.encode(encoding))] == [("größe", "ä")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('<!DOCTYPE t [<!ENTITY a "b">]><testsuite><testcase name="&a;"/></testsuite>', "declares a document type"),
        ('<!DOCTYPE t SYSTEM "file:///etc/passwd"><testsuite/>', "declares a document type"),
        ('<!DOCTYPE t [<!ENTITY % p SYSTEM "http://127.0.0.1/x"> %p;]><testsuite/>', "declares a document type"),
        ("<testsuite><testcase name='&a;'/></testsuite>", "undefined entity"),
        ("<html><body/></html>", "begins with <html>"),
        ("", "no element found"),
        ("not xml", "syntax error"),
        ("<testsuite><testcase name='a'>", "no element found, line 1"),
        ("<testsuite name='\x00'/>", "not well-formed"),
        ('<?xml version="1.0" encoding="klingon"?><testsuite/>', "encoding"),
        ("<testsuite>" * 101, "nests more than 100 levels"),
    ],
)
def test_what_is_no_report_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ReportRefused, match=reason):
        read(text)


def test_an_entity_bomb_is_refused_before_it_grows() -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY l0 "lol">{levels}]><testsuite name="&l9;"/>'
    tracemalloc.start()
    with pytest.raises(ReportRefused, match="document type"):
        read(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1024 * 1024


def test_a_report_of_200_megabytes_is_refused_at_the_limit_and_takes_little_memory() -> None:
    block = b'<testcase name="a"><system-out>' + b"x" * 60_000 + b"</system-out></testcase>"
    source = Repeated(b"<testsuite>", block)
    tracemalloc.start()
    with pytest.raises(ReportRefused, match="more than 67,108,864 bytes"):
        deque(read_cases(cast("BinaryIO", source)), maxlen=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert MOST_BYTES < source.given <= MOST_BYTES + len(block)
    assert peak < 4 * 1024 * 1024


def test_too_many_tests_are_refused_and_those_before_are_given() -> None:
    source = Repeated(b"<testsuite>", b'<testcase name="a"/>' * 100)
    cases = read_cases(cast("BinaryIO", source), most_cases=250)
    assert len(list(itertools.islice(cases, 250))) == 250
    with pytest.raises(ReportRefused, match="more than 250 tests"):
        next(cases)


def test_long_output_is_cut_and_says_so() -> None:
    text = "x" * (LONGEST_TEXT + 1)
    (case,) = read(f'<testsuite><testcase name="a"><failure>{text}</failure></testcase></testsuite>')
    assert (len(case.output), case.is_cut) == (LONGEST_TEXT, True)
