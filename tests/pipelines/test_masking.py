"""Secrets never stand in the output, in clear or as tools encode them."""

from __future__ import annotations

import base64
import json
import subprocess
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.pipelines.masking import Masker

KEY = "-----BEGIN KEY-----\n" + "\n".join(f"line{n}" + "aB3/" * 14 for n in range(20)) + "\n-----END KEY-----\n"


def masked(secret: str, output: str | bytes) -> str:
    data = output if isinstance(output, bytes) else output.encode()
    return Masker([secret]).mask(data).decode(errors="replace")


def test_a_secret_is_replaced_wherever_it_stands() -> None:
    assert masked("s3cret", "a s3cret, s3crets3cret\ns3cret") == "a ***, ******\n***"


def test_without_secrets_output_passes_unchanged() -> None:
    assert Masker().mask(b"anything") == b"anything"
    assert Masker([""]).mask(b"anything") == b"anything"


def test_values_shorter_than_four_characters_are_left_alone() -> None:
    assert masked("yes", "yes, yesterday") == "yes, yesterday"
    assert masked("  ab  ", "ab   ab") == "ab   ab"


def test_longer_secrets_win_over_those_they_contain() -> None:
    assert Masker(["pass", "password-one"]).mask(b"password-one pass") == b"*** ***"


def test_secrets_that_overlap_leave_nothing_visible() -> None:
    assert Masker(["abcdef", "defghi"]).mask(b"<abcdefghi>") == b"<***>"
    assert Masker(["aaaa"]).mask(b"<aaaaaa>") == b"<***>"


def test_a_secret_is_taken_literally_not_as_a_pattern() -> None:
    assert masked("a.c*[x", "abcc a.c*[x") == "abcc ***"


def test_a_secret_is_masked_with_and_without_its_last_newline() -> None:
    assert masked("token-value\n", "token-value") == "***"


def test_every_line_of_a_secret_of_several_lines_is_masked() -> None:
    assert set(masked(KEY, KEY).split("\n")) == {"***", ""}


def test_indented_lines_are_masked_when_printed_without_indent() -> None:
    assert masked('{\n    "key": "abc"\n}', '"key": "abc"') == "***"


def test_a_secret_of_several_lines_is_masked_where_it_is_escaped() -> None:
    assert "line" not in masked(KEY, json.dumps({"key": KEY}))
    assert "line" not in masked(KEY, quote(KEY))


@pytest.mark.parametrize("secret", ["p@ss w/rd+&=%", "ümläut-€", "plain-secret", "a!b'c(d)*e"])
def test_url_encoded_forms_are_masked(secret: str) -> None:
    for encoded in (quote(secret), quote(secret, safe=""), quote_plus(secret), quote(secret, safe="!'()*")):
        assert masked(secret, f"https://x/?q={encoded}&y") == "https://x/?q=***&y"
    assert masked(secret, quote(secret, safe="").replace("%C3", "%c3").replace("%2F", "%2f").lower()) != secret


def test_forms_with_small_hexadecimal_digits_are_masked() -> None:
    assert masked("a/b/c/d", "a%2fb%2fc%2fd") == "***"


@pytest.mark.parametrize("secret", ['say "hi" now', "back\\slash", "tab\there", "ümläut"])
def test_forms_escaped_as_in_json_are_masked(secret: str) -> None:
    assert masked(secret, json.dumps({"k": secret})) == '{"k": "***"}'
    assert masked(secret, json.dumps({"k": secret}, ensure_ascii=False)) == '{"k": "***"}'


@pytest.mark.parametrize("secret", ["abcd", "abcde", "abcdef", "abcdefg", "hunter2-hunter2", "€uro-sëcret"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_secret_by_itself_in_base64_is_masked_whole(secret: str, end: str) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        left = masked(secret, encode((secret + end).encode()) + b" rest")
        assert left in {"*** rest", "***= rest", "***K rest"}  # the K is six bits of the newline


@pytest.mark.parametrize("before", ["", "u", "us", "user:", "user1:", "user12:"])
@pytest.mark.parametrize("after", ["", "x", "xy", "\n"])
def test_a_secret_inside_a_longer_text_in_base64_is_masked(before: str, after: str) -> None:
    secret = "correct-horse-battery"
    output = base64.b64encode(f"{before}{secret}{after}".encode())
    left = masked(secret, output)
    assert "***" in left
    assert len(left.replace("***", "")) <= 4 * (len(before) + len(after)) / 3 + 4


def test_a_secret_that_a_tool_wraps_in_base64_is_masked() -> None:
    for command in (["base64"], ["openssl", "base64"]):
        try:
            output = subprocess.run(command, input=KEY.encode(), capture_output=True, check=True).stdout
        except FileNotFoundError:
            continue
        left = Masker([KEY]).mask(output).decode().replace("***", "").strip()
        assert len(left) < 8, command


def test_basic_authorization_is_masked() -> None:
    header = base64.b64encode(b"bot:ghp_0123456789abcdef")
    assert b"MDEyMzQ1Njc4" not in Masker(["ghp_0123456789abcdef"]).mask(b"Authorization: Basic " + header)


def test_binary_output_is_searched_as_well() -> None:
    assert Masker(["s3cret"]).mask(b"\xff\x00s3cret\xfe") == b"\xff\x00***\xfe"


def test_a_secret_that_is_not_text_does_no_harm() -> None:
    assert masked("abc\ud800def", "fine") == "fine"


def test_no_mask_covers_more_than_the_longest() -> None:
    masker = Masker(["hunter2-hunter2", KEY])
    assert masker.longest >= len(json.dumps(KEY)) - 2


@given(
    secret=st.text("abc€/+ ü'\\", min_size=4, max_size=30).filter(lambda text: len(text.strip()) >= 4),
    before=st.text("0123456789", max_size=20),
    after=st.text("0123456789", max_size=20),
)
def test_what_stands_around_a_secret_stays(secret: str, before: str, after: str) -> None:
    left = Masker([secret]).mask(f"{before}{secret}{after}".encode()).decode()
    assert left == f"{before}***{after}"
