"""Raw output becomes lines: numbered without a gap, masked, and fit to be stored and shown."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pipelines.log_format import LogLine, LogStream, lines_of
from tasks.pipelines.capture import MOST_LINE_BYTES, MOST_TAIL_BYTES, Capture
from tasks.pipelines.masking import Masker

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Clock:
    """A second passes at each look."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def make(*secrets: str, max_line: int = MOST_LINE_BYTES, first_seq: int = 1) -> Capture:
    return Capture(Masker(secrets), Clock(), max_line, first_seq=first_seq)


def stored(capture: Capture) -> list[LogLine]:
    """Close it, and read back what was captured."""
    capture.close()
    chunk = capture.take_chunk()
    return list(lines_of(chunk.data)) if chunk else []


def messages(capture: Capture) -> list[str]:
    return [line.message for line in stored(capture)]


def test_lines_are_numbered_over_both_streams() -> None:
    capture = make()
    capture.feed("stdout", b"one\ntwo\n")
    capture.feed("stderr", b"three\n")
    capture.say("four")
    lines = stored(capture)
    assert [(line.seq, line.stream, line.level, line.message) for line in lines] == [
        (1, "stdout", "info", "one"),
        (2, "stdout", "info", "two"),
        (3, "stderr", "warn", "three"),
        (4, "system", "debug", "four"),
    ]


def test_numbering_starts_where_it_is_told() -> None:
    capture = make(first_seq=41)
    capture.feed("stdout", b"x\n")
    assert stored(capture)[0].seq == 41


def test_lines_carry_the_time_at_which_they_came() -> None:
    capture = make()
    capture.feed("stdout", b"a\nb\n")
    capture.feed("stdout", b"c\n")
    assert [line.timestamp[:19] for line in stored(capture)] == [
        "2026-11-22T12:00:01",
        "2026-11-22T12:00:01",
        "2026-11-22T12:00:02",
    ]


def test_a_line_in_pieces_is_one_line_of_its_own_stream() -> None:
    capture = make()
    capture.feed("stdout", b"hel")
    capture.feed("stderr", b"war")
    capture.feed("stdout", b"lo\nwor")
    capture.feed("stderr", b"ning\n")
    capture.feed("stdout", b"ld")
    assert messages(capture) == ["hello", "warning", "world"]


def test_empty_lines_count() -> None:
    capture = make()
    capture.feed("stdout", b"\n\nx\n\n")
    assert messages(capture) == ["", "", "x", ""]


def test_no_output_is_no_chunk() -> None:
    capture = make()
    capture.feed("stdout", b"")
    assert stored(capture) == []


def test_a_last_line_without_newline_is_kept() -> None:
    capture = make()
    capture.feed("stdout", b"the end")
    assert messages(capture) == ["the end"]


def test_windows_line_ends_become_plain_ones_also_in_pieces() -> None:
    capture = make()
    capture.feed("stdout", b"a\r\nb\r")
    capture.feed("stdout", b"\nc\r\n")
    assert messages(capture) == ["a", "b", "c"]


def test_colours_and_progress_bars_stay_as_they_are() -> None:
    capture = make()
    capture.feed("stdout", b"\x1b[31mred\x1b[0m 10%\r20%\n")
    assert messages(capture) == ["\x1b[31mred\x1b[0m 10%\r20%"]


def test_what_is_not_text_is_replaced() -> None:
    capture = make()
    capture.feed("stdout", b"a\xff\xfeb\x00c\xc3\n\xa4\n")
    assert messages(capture) == ["a\ufffd\ufffdb\u2400c\ufffd", "\ufffd"]


def test_a_character_split_over_two_writes_is_whole() -> None:
    capture = make()
    capture.feed("stdout", "grü".encode()[:-1])
    capture.feed("stdout", "grü".encode()[-1:] + b"n\n")
    assert messages(capture) == ["grün"]


def test_a_long_line_is_split_at_sixteen_kibibytes() -> None:
    capture = make()
    capture.feed("stdout", b"short\n" + b"x" * (2 * MOST_LINE_BYTES + 1) + b"\nshort\n")
    assert [len(message) for message in messages(capture)] == [5, MOST_LINE_BYTES, MOST_LINE_BYTES, 1, 5]


def test_a_line_of_just_that_length_is_not_split() -> None:
    capture = make()
    capture.feed("stdout", b"x" * MOST_LINE_BYTES + b"\n" + b"y" * MOST_LINE_BYTES + b"\n")
    assert len(messages(capture)) == 2


def test_a_long_line_is_split_between_characters() -> None:
    capture = make(max_line=10)
    capture.feed("stdout", ("€" * 10).encode() + b"\n")
    assert messages(capture) == ["€€€", "€€€", "€€€", "€"]


def test_long_nonsense_is_split_all_the_same() -> None:
    capture = make(max_line=10)
    capture.feed("stdout", b"\x80" * 25 + b"\n")
    assert [len(message) for message in messages(capture)] == [10, 10, 5]


def test_a_line_without_end_does_not_gather_in_memory() -> None:
    capture = make()
    for _ in range(48):
        capture.feed("stdout", b"x" * 65536)
        assert capture.waiting_bytes <= 4 * MOST_TAIL_BYTES
    assert capture.waiting_bytes > MOST_TAIL_BYTES
    assert "".join(messages(capture)) == "x" * 48 * 65536


def test_a_line_without_end_of_tiny_writes_costs_no_more_than_its_length() -> None:
    capture = make()
    began = time.process_time()
    for _ in range(300_000):
        capture.feed("stdout", b"xyz")
    assert time.process_time() - began < 2


def test_a_secret_split_over_two_writes_is_masked() -> None:
    capture = make("hunter2-secret")
    capture.feed("stdout", b"password is hunt")
    capture.feed("stdout", b"er2-secret!\n")
    assert messages(capture) == ["password is ***!"]


def test_a_secret_across_the_split_of_a_long_line_is_masked() -> None:
    capture = make("hunter2-secret")
    capture.feed("stdout", b"x" * (MOST_LINE_BYTES - 7) + b"hunter2-secret\n")
    assert messages(capture) == ["x" * (MOST_LINE_BYTES - 7) + "***"]


@pytest.mark.parametrize("short_of", range(16))
def test_a_secret_across_the_cut_of_a_line_without_end_is_masked(short_of: int) -> None:
    capture = make("hunter2-secret")
    capture.feed("stdout", b"x" * (MOST_TAIL_BYTES - 7) + b"hunter2-secret"[:short_of])
    capture.feed("stdout", b"hunter2-secret"[short_of:] + b"y" * 100 + b"\n")
    text = "".join(messages(capture))
    assert "***" in text
    assert text.replace("*", "") == "x" * (MOST_TAIL_BYTES - 7) + "y" * 100


def test_the_platforms_own_lines_may_be_several() -> None:
    capture = make()
    capture.say("first\nsecond")
    capture.say("third \ud800")
    assert [(line.seq, line.message) for line in stored(capture)] == [(1, "first"), (2, "second"), (3, "third ?")]


def test_chunks_follow_each_other_without_a_gap() -> None:
    capture = make()
    chunks = []
    for number in range(5):
        capture.feed("stdout", b"%d\nx" % number)
        chunks.append(capture.take_chunk())
    ends = [(chunk.first_seq, chunk.last_seq) for chunk in chunks if chunk]
    assert all(late[0] == early[1] + 1 for early, late in pairwise(ends))
    assert capture.take_chunk() is None


WRITES = st.lists(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=40) | st.sampled_from([b"\n", b"\r\n", b"\0"])),
    max_size=30,
)


@given(writes=WRITES, max_line=st.integers(4, 50))
def test_nothing_is_lost_or_doubled_however_it_is_written(writes: list[tuple[LogStream, bytes]], max_line: int) -> None:
    capture = make(max_line=max_line)
    for stream, data in writes:
        capture.feed(stream, data)
    lines = stored(capture)
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    assert all(len(line.message.encode()) <= 3 * max_line for line in lines)
    for stream in ("stdout", "stderr"):
        written = b"".join(data for at, data in writes if at == stream)
        whole = make(max_line=max_line)
        whole.feed(stream, written)
        assert [line.message for line in lines if line.stream == stream] == messages(whole)


def test_a_line_costs_less_than_half_a_microsecond() -> None:
    data = b"".join(b"%d compiled src/module_%d.py\n" % (n, n) for n in range(10_000))
    capture = make("a-secret-that-is-not-there")
    began = time.process_time()
    for _ in range(20):
        capture.feed("stdout", data)
        capture.take_chunk()
    assert (time.process_time() - began) / 200_000 < 1.5e-6  # three times the goal: the machine may be busy
