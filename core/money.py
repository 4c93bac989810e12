"""
Money: an exact whole number of minor units, in one currency.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Self

from core.errors import Invalid

# A BIGINT holds nineteen digits; no honest amount of ours has more than fifteen.
_MINOR_MAX = 10**15


@dataclass(eq=False)
class InvalidAmount(Invalid):
    """The amount is not a number we can use."""


class Currency(StrEnum):
    """A currency is one line: its code and how many decimals its minor unit has."""

    exponent: int

    def __new__(cls, code: str, exponent: int) -> Self:
        self = str.__new__(cls, code)
        self._value_ = code
        self.exponent = exponent
        return self

    KES = "KES", 2
    NGN = "NGN", 2
    USD = "USD", 2
    EUR = "EUR", 2
    GBP = "GBP", 2
    BTC = "BTC", 8
    USDT = "USDT", 6


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in minor units (cents, satoshi) of one currency. May be negative: an entry is."""

    minor: int
    currency: Currency

    @classmethod
    def parse(cls, text: str, currency: Currency) -> Self:
        """
        Read an amount as a person types it: `500`, `1,000.50`, `KES 500`, `ksh500`, `500/=`.

        Raises:
            InvalidAmount: Not a positive number with at most the currency's decimals.
        """
        typed = text.strip().lower()
        codes = "kes|kshs?|sh" if currency is Currency.KES else currency.value.lower()
        typed = re.sub(rf"^({codes})\.?\s*|\s*/[-=]$", "", typed)
        if not re.fullmatch(r"([0-9]{1,15}|[0-9]{1,3}(,[0-9]{3}){1,4})(\.[0-9]{1,8})?", typed):
            raise InvalidAmount
        if re.match(r"0[0-9]", typed):  # a phone number typed where an amount is asked
            raise InvalidAmount
        minor = Decimal(typed.replace(",", "")).scaleb(currency.exponent)
        if minor != minor.to_integral_value() or not 0 < minor <= _MINOR_MAX:
            raise InvalidAmount
        return cls(int(minor), currency)

    def __str__(self) -> str:
        """Show the amount with its code: `KES 1,250.00`. Plain ASCII, so an SMS stays GSM-7."""
        major = Decimal(self.minor).scaleb(-self.currency.exponent)
        return f"{self.currency.value} {major:,.{self.currency.exponent}f}"

    @property
    def figures(self) -> str:
        """The amount without its code, for lists that have little room: `1,250.00`."""
        return str(self).removeprefix(f"{self.currency.value} ")

    @property
    def brief(self) -> str:
        """The figures, without decimals that say nothing: `1,250`."""
        return self.figures.removesuffix(f".{'0' * self.currency.exponent}")

    def __add__(self, other: Money) -> Money:
        assert self.currency is other.currency, "money of two currencies cannot be added"
        return Money(self.minor + other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        return self + -other

    def __lt__(self, other: Money) -> bool:
        assert self.currency is other.currency, "money of two currencies cannot be compared"
        return self.minor < other.minor


def kes(minor: int) -> Money:
    """Kenyan shillings, from cents."""
    return Money(minor, Currency.KES)
