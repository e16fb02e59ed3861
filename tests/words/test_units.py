"""Amounts are exact in both directions; counts and durations are readable."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.words.units import DECIMALS, UNIT, amount, ceil_div, count, parse_amount, seconds


@given(st.integers(0, 2**128))
def test_amounts_round_trip(value):
    assert parse_amount(amount(value)) == value
    assert Fraction(amount(value).replace(",", "")) == Fraction(value, UNIT)


@given(st.integers(0, 10**9), st.integers(0, DECIMALS))
def test_fewer_decimals_mean_the_same(value, decimals):
    text = f"{value}." + "5" * decimals
    assert Fraction(parse_amount(text), UNIT) == Fraction(text if decimals else f"{value}")


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1_000_000), (".5", 500_000), ("5.", 5_000_000), (" 1,234.000001 ", 1_234_000_001)]
)
def test_what_people_write(text, value):
    assert parse_amount(text) == value


@pytest.mark.parametrize("text", ["", ".", "-1", "+1", "1e3", "1.0000001", "1.2.3", "x", "1_000", "٣", "0x10", "NaN"])
def test_what_is_not_an_amount(text):
    with pytest.raises(ValueError, match="not an amount"):
        parse_amount(text)


def test_amounts_as_shown():
    assert amount(1_500_000) == "1.500000"
    assert amount(1_234_567_890_123, "PLAY") == "1,234,567.890123 PLAY"
    assert amount(-1) == "-0.000001"
    assert amount(0) == "0.000000"
    assert 10**DECIMALS == UNIT


@given(st.integers(0, 10**30), st.integers(1, 10**15))
def test_ceil_div_is_the_least_integer_that_is_not_below(numerator, denominator):
    assert ceil_div(numerator, denominator) - 1 < Fraction(numerator, denominator) <= ceil_div(numerator, denominator)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1 k"),
        (12_300_000, "12.3 M"),
        (17_735_082, "17.7 M"),
        (5 * 10**9, "5 G"),
        (3 * 10**12, "3 T"),
        (10**16, "10 P"),
    ],
)
def test_counts(value, text):
    assert count(value) == text


@given(st.integers(1000, 10**17))
def test_a_count_is_right_to_three_digits(value):
    number, suffix = count(value).split()
    shown = Fraction(number) * {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}[suffix]
    assert abs(shown - value) <= Fraction(value, 200)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (75, "1 min 15 s"),
        (3599.9, "1 h 0 min"),
        (90061, "25 h 1 min"),
    ],
)
def test_durations(value, text):
    assert seconds(value) == text
