from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddvideo.text import duration, printable, size_mib


@given(st.text())
def test_nothing_a_terminal_acts_on_is_left(text):
    shown = printable(text)
    allowed_formats = {"\u200c", "\u200d"}
    for character in shown:
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.category(character) != "Cf" or character in allowed_formats
    shown.encode("utf-8")


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_ordinary_text_of_any_language_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\u202egnp", "\\u202egnp"),
        ("caf\udce9", "caf\\xe9"),
        ("\ud800", "\\ud800"),
        ("日本 é", "日本 é"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_escapes_are_those_of_python(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0.00 s"), (0.424, "0.42 s"), (12.34, "12.3 s"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (185, "3 min 05 s"),
     (3599.6, "1 h 00 min"), (7440, "2 h 04 min"), (float("nan"), "not known"), (float("inf"), "not known")],
)  # fmt: skip
def test_durations(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.parametrize(("mib", "shown"), [(0.44, "0.4 MiB"), (312.4, "312 MiB"), (1536, "1.5 GiB")])
def test_sizes(mib, shown):
    assert size_mib(mib) == shown
