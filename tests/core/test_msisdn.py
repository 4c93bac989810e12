"""Numbers in every form people write them, and in one form inside."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import msisdn
from core.msisdn import InvalidMsisdn

WRITTEN = [
    "0712345678",
    "712345678",
    "254712345678",
    "+254712345678",
    "00254712345678",
    "000254712345678",
    " 0712 345 678 ",
    "0712-345-678",
    "(0712) 345678",
    "0712.345.678",
]


@pytest.mark.parametrize("typed", WRITTEN)
def test_every_common_form_is_one_number(typed):
    assert msisdn.parse(typed) == "+254712345678"


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("0110345678", "+254110345678"),  # Safaricom's new range
        ("0100345678", "+254100345678"),  # Airtel's
        ("+2348031234567", "+2348031234567"),
        ("002348031234567", "+2348031234567"),
    ],
)
def test_new_ranges_and_other_countries(typed, number):
    assert msisdn.parse(typed) == number


@pytest.mark.parametrize(
    "typed",
    ["", "0", "hello", "071234567", "07123456789", "0202222222", "999", "+", "1" * 40, "٠٧١٢"],
)
def test_what_no_phone_has(typed):
    with pytest.raises(InvalidMsisdn):
        msisdn.parse(typed)


@given(st.text(max_size=30))
def test_whatever_is_typed_is_e164_or_refused(text):
    with contextlib.suppress(InvalidMsisdn):
        assert re.fullmatch(r"\+[1-9][0-9]{7,14}", msisdn.parse(text))


@given(st.integers(0, 10**8 - 1))
def test_reading_twice_changes_nothing(number):
    try:
        parsed = msisdn.parse(f"07{number:08}")
    except InvalidMsisdn:
        return
    assert msisdn.parse(parsed) == parsed
    assert msisdn.claimed(parsed) == msisdn.claimed(parsed.removeprefix("+")) == parsed


def test_a_masked_number_can_be_recognised_and_not_called():
    assert msisdn.masked("+254733000002") == "0733***002"
    assert msisdn.masked("+2348031234567") == "+234***567"
