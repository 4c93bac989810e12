"""
Cooling off: for a while after a forgotten PIN was replaced, little can be sent.

Whoever did it may not be the owner; the owner gets an SMS, and this is the time they have. The
amounts are dated rows, and held by `post` where the other limits are. What no amount limits
(exchange, setting money aside) waits until it is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, DateTime, Integer, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.errors import Refused
from core.money import Money, kes
from core.subscribers import AccountClosed, Subscriber


@dataclass(eq=False)
class AmountCooling(Refused):
    """The amount is above the most that can be sent at once while the account cools off."""

    until: datetime
    most: Money


@dataclass(eq=False)
class DayCooling(Refused):
    """The amount would pass what can be sent in a day while the account cools off."""

    until: datetime
    limit: Money
    left: Money


@dataclass(eq=False)
class CoolingOff(Refused):
    """The account cools off; until that is over, this cannot be done at all."""

    until: datetime


class Kind(StrEnum):
    """How careful we are."""

    USUAL = "usual"
    """Whoever chose the new PIN could say what only the owner knows."""
    STRICT = "strict"
    """They could say no more than the name."""


class CoolingLimit(Base):
    """
    How long a cooling-off of a kind lasts, and what can be sent meanwhile, from an instant on.

    Amounts are cents of KES. The newest row that has begun is the one in force.
    """

    __tablename__ = "cooling_limits"

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    hours: Mapped[int] = mapped_column(Integer)
    order_max: Mapped[int] = mapped_column(BigInteger)
    day_max: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class Cooling:
    """Until when, and what can be sent at once and in a day meanwhile."""

    until: datetime
    order_max: Money
    day_max: Money


def begin(session: Session, *, subscriber: int, kind: Kind, now: datetime) -> Cooling:
    """
    Let an account cool off from now on. What was begun before gets neither shorter nor softer.

    Raises:
        AccountClosed: It was closed meanwhile.
    """
    row = session.execute(
        text("SELECT * FROM begin_cooling(:subscriber, :kind, :now)"),
        {"subscriber": subscriber, "kind": kind.value, "now": now},
    ).one_or_none()
    if row is None:
        raise AccountClosed
    return Cooling(row.until, kes(row.order_max), kes(row.day_max))


def require_over(session: Session, *, subscriber: int, now: datetime) -> None:
    """
    See that an account does not cool off.

    Raises:
        CoolingOff: It does.
    """
    until = session.scalar(select(Subscriber.cooling_until).where(Subscriber.id == subscriber))
    if until is not None and now < until:
        raise CoolingOff(until=until)
