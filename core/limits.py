"""
What may be sent at once, in a day, and how often: dated rows, enforced inside `post`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base
from core.errors import Refused
from core.ledger import Account
from core.money import Money, kes


@dataclass(eq=False)
class AmountTooSmall(Refused):
    """The amount is below the least that can be sent."""

    least: Money


@dataclass(eq=False)
class AmountTooLarge(Refused):
    """The amount is above the most that can be sent at once."""

    most: Money


@dataclass(eq=False)
class DailyLimitReached(Refused):
    """The amount would pass the day's limit."""

    limit: Money
    left: Money


@dataclass(eq=False)
class TooManyTransfers(Refused):
    """The hour's number of transfers is used up."""

    count_max: int


class Limit(Base):
    """
    The limits in force for a kind of movement from an instant on.

    Amounts are minor units. The newest row that has begun is the one in force.
    """

    __tablename__ = "limits"

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    order_min: Mapped[int] = mapped_column(BigInteger)
    order_max: Mapped[int] = mapped_column(BigInteger)
    day_max: Mapped[int] = mapped_column(BigInteger)
    hour_count_max: Mapped[int] = mapped_column(Integer)


class Spending(Base):
    """What an account has sent in one clock hour; days and hours are added up from it."""

    __tablename__ = "spending"

    account_id: Mapped[int] = mapped_column(ForeignKey(Account.id), primary_key=True)
    hour: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(Integer)


def refusal(code: str, detail: Mapping[str, Any]) -> Refused:
    """Turn what `limit_refusal` found (minor units in KES) into the error that says it."""
    match code:
        case AmountTooSmall.code:
            return AmountTooSmall(least=kes(detail["least"]))
        case AmountTooLarge.code:
            return AmountTooLarge(most=kes(detail["most"]))
        case DailyLimitReached.code:
            return DailyLimitReached(limit=kes(detail["limit"]), left=kes(detail["left"]))
        case TooManyTransfers.code:
            return TooManyTransfers(count_max=detail["count_max"])
    raise AssertionError(f"post knows a limit we do not: {code}")
