"""Money on the wire: a decimal string with its currency, never a JSON number."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from core.money import Currency, Money
from gateway.api.schemas import Sent, Told

_ASKED = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,8})?$"
_SHOWN = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"


class Amount(Sent):
    """An amount that is asked for: more than nothing, with at most its currency's decimals."""

    value: Annotated[str, StringConstraints(pattern=_ASKED, max_length=24)] = Field(
        examples=["500.00"]
    )
    currency: Annotated[Currency, Field(strict=False, examples=["KES"])]

    def money(self) -> Money:
        """
        The amount as the core takes it.

        Raises:
            InvalidAmount: It is nothing, or has more decimals than its currency.
        """
        return Money.parse(self.value, self.currency)


class Sum(Told):
    """An amount that is told; what has left an account is negative."""

    value: str = Field(pattern=_SHOWN, examples=["500.00"])
    currency: Currency

    @classmethod
    def of(cls, money: Money) -> Self:
        """The same money, for a program."""
        return cls(value=decimal(money), currency=money.currency)


def decimal(money: Money) -> str:
    """An amount without its currency: `1250.00`."""
    return f"{Decimal(money.minor).scaleb(-money.currency.exponent):f}"
