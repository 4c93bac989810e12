"""
What may be sent at once, in a day, and how often: dated rows, enforced inside `post`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, DateTime, ForeignKey, Integer, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.errors import Denied, DomainError, Refused
from core.ledger import Account
from core.money import Money, kes
from core.subscribers import Screening, Subscriber, Tier


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


@dataclass(eq=False)
class MonthlyLimitReached(Refused):
    """The amount would pass the month's limit."""

    limit: Money
    left: Money


@dataclass(eq=False)
class AccountSuspended(Denied):
    """The account is suspended, or its owner's papers were rejected: it can pay nobody."""


@dataclass(eq=False)
class NotScreened(Refused):
    """The account is new, and its owner has not been held against the sanctions lists yet."""


@dataclass(eq=False)
class RecipientSuspended(Refused):
    """The recipient's account is suspended, or their papers were rejected."""


@dataclass(eq=False)
class CeilingReached(Refused):
    """The recipient would hold more than they may."""


class Limit(Base):
    """
    The limits in force for a kind of movement, kind of holder and tier from an instant on.

    Amounts are cents of KES; other currencies count by their reference rates. The newest row that
    has begun is the one in force; a kind of movement without rows has those of a transfer.
    """

    __tablename__ = "limits"

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    holder: Mapped[str] = mapped_column(Text, primary_key=True)
    tier: Mapped[str] = mapped_column(Text, primary_key=True)
    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    order_min: Mapped[int] = mapped_column(BigInteger)
    order_max: Mapped[int] = mapped_column(BigInteger)
    day_max: Mapped[int] = mapped_column(BigInteger)
    hour_count_max: Mapped[int] = mapped_column(Integer)
    month_max: Mapped[int] = mapped_column(BigInteger)
    balance_max: Mapped[int] = mapped_column(BigInteger)


class Spending(Base):
    """What an account has sent in one clock hour; days and hours are added up from it."""

    __tablename__ = "spending"

    account_id: Mapped[int] = mapped_column(ForeignKey(Account.id), primary_key=True)
    hour: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(Integer)


_REFUSALS: Final = {
    kind.code: kind
    for kind in (
        AccountSuspended,
        AmountTooLarge,
        AmountTooSmall,
        CeilingReached,
        DailyLimitReached,
        MonthlyLimitReached,
        NotScreened,
        RecipientSuspended,
        TooManyTransfers,
    )
}


def refusal(code: str, detail: Mapping[str, Any]) -> DomainError:
    """Turn what `limit_refusal` or `ceiling_refusal` found (cents of KES) into its error."""
    kind = _REFUSALS[code]
    params: dict[str, Any] = {
        field.name: kes(detail[field.name]) if field.type == "Money" else detail[field.name]
        for field in fields(kind)
    }
    return kind(**params)


def standing(tier: str, screening: str) -> DomainError | None:
    """What stands against somebody moving any money at all; `post` says so too, of transfers."""
    if tier in {Tier.REJECTED, Tier.SUSPENDED} or screening == Screening.HIT:
        return AccountSuspended()
    return NotScreened() if screening == Screening.NEW else None


def require_standing(session: Session, *, subscriber: int) -> None:
    """
    See that somebody may move money.

    Raises:
        AccountSuspended: They may not.
        NotScreened: Not yet.
    """
    tier, screening = session.execute(
        select(Subscriber.tier, Subscriber.screening).where(Subscriber.id == subscriber)
    ).one()
    if (error := standing(tier, screening)) is not None:
        raise error


def require_recipient(session: Session, *, account: int, sender: int) -> None:
    """
    See that whoever has an account may be given money by somebody else; nobody's always may.

    Raises:
        RecipientSuspended: They may not.
    """
    found = session.execute(
        select(Subscriber.tier, Subscriber.screening)
        .join(Account, Account.holder_id == Subscriber.id)
        .where(Account.id == account, Subscriber.id != sender)
    ).one_or_none()
    if found is not None and isinstance(standing(*found), AccountSuspended):
        raise RecipientSuspended
