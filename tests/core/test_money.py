"""Money is exact, whoever types it."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import Currency, InvalidAmount, Money, kes

amounts = st.builds(Money, st.integers(1, 10**15), st.sampled_from(Currency))
entries = st.integers(-(10**15), 10**15)


@given(amounts)
def test_what_is_shown_is_what_is_read(money):
    if money.minor < 10**15:
        assert Money.parse(str(money), money.currency) == money
        assert Money.parse(money.figures, money.currency) == money
        assert Money.parse(money.figures.replace(",", ""), money.currency) == money


@given(amounts)
def test_shown_money_is_plain_ascii_with_all_its_decimals(money):
    code, _, figures = str(money).partition(" ")
    assert code == money.currency.value
    assert figures.isascii()
    assert Decimal(figures.replace(",", "")).scaleb(money.currency.exponent) == money.minor
    assert len(figures.partition(".")[2]) == money.currency.exponent


@given(entries, entries)
def test_sums_are_exact(a, b):
    assert (kes(a) + kes(b) - kes(b)).minor == a
    assert -kes(a) + kes(a) == kes(0)
    assert (kes(a) < kes(b)) == (a < b)


@given(st.text(max_size=30))
def test_whatever_is_typed_is_a_positive_amount_or_refused(text):
    for currency in (Currency.KES, Currency.BTC):
        with contextlib.suppress(InvalidAmount):
            assert 0 < Money.parse(text, currency).minor <= 10**15


@pytest.mark.parametrize(
    ("typed", "minor"),
    [
        ("500", 500_00),
        (" 500 ", 500_00),
        ("1,000", 1_000_00),
        ("1,000.50", 1_000_50),
        ("0.5", 50),
        ("KES 1,000", 1_000_00),
        ("ksh500", 500_00),
        ("Kshs. 500", 500_00),
        ("sh 500", 500_00),
        ("500/=", 500_00),
        ("500/-", 500_00),
    ],
)
def test_amounts_as_people_type_them(typed, minor):
    assert Money.parse(typed, Currency.KES) == kes(minor)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "0",
        "0.00",
        "-5",
        "+5",
        "5.001",
        "1,00",
        "10,00,000",
        "1e3",
        "\u0665\u0660\u0660",  # Arabic figures
        "0712",
        "5 00",
        "NaN",
    ],
)
def test_what_is_no_amount(typed):
    with pytest.raises(InvalidAmount):
        Money.parse(typed, Currency.KES)


@pytest.mark.parametrize("typed", ["ksh 5", "sh5", "kes 5", "usdt 5"])
def test_an_amount_of_another_currency_is_none_of_this(typed):
    with pytest.raises(InvalidAmount):
        Money.parse(typed, Currency.USD)


def test_two_currencies_do_not_mix():
    with pytest.raises(AssertionError):
        kes(1) + Money(1, Currency.USD)
    with pytest.raises(AssertionError):
        kes(1) < Money(1, Currency.USD)  # noqa: B015 - that it can be asked at all is the point
