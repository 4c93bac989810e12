"""
What may be sent at once, in a day, and how often: dated rows, enforced inside `post`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Integer,
    Text,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.cooling import AmountCooling, DayCooling
from core.db import Base
from core.errors import Denied, DomainError, Refused
from core.ledger import Account
from core.money import Money, kes
from core.subscribers import AccountClosed, Screening, Subscriber, Tier


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
    __table_args__ = (CheckConstraint("amount >= 0 AND count >= 0", name="spent"),)

    account_id: Mapped[int] = mapped_column(ForeignKey(Account.id), primary_key=True)
    hour: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(Integer)


_REFUSALS: Final = {
    kind.code: kind
    for kind in (
        AccountSuspended,
        AmountCooling,
        AmountTooLarge,
        AmountTooSmall,
        CeilingReached,
        DailyLimitReached,
        DayCooling,
        MonthlyLimitReached,
        NotScreened,
        RecipientSuspended,
        TooManyTransfers,
    )
}


def refusal(code: str, detail: Mapping[str, Any]) -> DomainError:
    """Turn what `limit_refusal` or `ceiling_refusal` found (cents of KES) into its error."""
    kind = _REFUSALS[code]
    made: Mapping[object, Callable[[Any], object]]
    made = {"Money": kes, "datetime": datetime.fromisoformat}
    params: dict[str, Any] = {
        field.name: made.get(field.type, int)(detail[field.name]) for field in fields(kind)
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
        AccountClosed: They have left.
    """
    tier, screening, left_at = session.execute(
        select(Subscriber.tier, Subscriber.screening, Subscriber.closed_at).where(
            Subscriber.id == subscriber
        )
    ).one()
    if left_at is not None:
        raise AccountClosed
    if (error := standing(tier, screening)) is not None:
        raise error


def require_recipient(session: Session, *, account: int, sender: int) -> None:
    """
    See that whoever has an account may be given money by somebody else; nobody's always may.

    Raises:
        RecipientSuspended: They may not, or they have left.
    """
    found = session.execute(
        select(Subscriber.tier, Subscriber.screening, Subscriber.closed_at)
        .join(Account, Account.holder_id == Subscriber.id)
        .where(Account.id == account, Subscriber.id != sender)
    ).one_or_none()
    if found is None:
        return
    tier, screening, left_at = found
    if left_at is not None or isinstance(standing(tier, screening), AccountSuspended):
        raise RecipientSuspended


@dataclass(frozen=True, slots=True)
class Allowance:
    """
    What somebody may still move, and hold, as `post` would have it now.

    Args:
        at_once: The most of one transfer, or whatever was asked about.
        today: What is left of the day's limit.
        this_month: What is left of the month's.
        balance_max: The most they may hold, all currencies together.
        cooling_until: Until when that is less than usual.
    """

    at_once: Money
    today: Money
    this_month: Money
    balance_max: Money
    cooling_until: datetime | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the most that somebody may move at once by a kind of movement."""

    least: Money
    most: Money


_BOUNDS: Final = text("""
    SELECT l.order_min, l.order_max
    FROM subscribers s
    JOIN limits l ON l.kind = :kind AND l.currency = 'KES' AND l.holder = s.kind
     AND l.tier = CASE WHEN s.tier = 'verified' THEN s.tier ELSE 'pending' END
     AND l.valid_from <= :now
    WHERE s.id = :subscriber
    ORDER BY l.valid_from DESC LIMIT 1
""")


def bounds(session: Session, *, subscriber: int, kind: str, now: datetime) -> Bounds:
    """Within what somebody may move at once, to be told before they type. `post` decides."""
    given = {"subscriber": subscriber, "kind": kind, "now": now}
    row = session.execute(_BOUNDS, given).one()
    return Bounds(kes(row.order_min), kes(row.order_max))


# By the same rows as `limit_refusal`, of which this is the outside view.
_ALLOWED: Final = text("""
    SELECT s.tier, s.screening, l.order_max, l.day_max, l.month_max, l.balance_max,
           spent.today, spent.this_month, c.until, cool.*
    FROM subscribers s
    CROSS JOIN LATERAL (
        SELECT * FROM limits l
        WHERE l.kind IN (:kind, 'transfer') AND l.currency = 'KES' AND l.holder = s.kind
          AND l.tier = CASE WHEN s.tier = 'verified' THEN s.tier ELSE 'pending' END
          AND l.valid_from <= :now
        ORDER BY (l.kind = :kind) DESC, l.valid_from DESC LIMIT 1
    ) l
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(x.amount) FILTER (WHERE x.hour >= begun.day), 0) AS today,
               coalesce(sum(x.amount), 0) AS this_month
        FROM (
            SELECT date_trunc('day', l.now) AT TIME ZONE 'Africa/Nairobi' AS day,
                   date_trunc('month', l.now) AT TIME ZONE 'Africa/Nairobi' AS month
            FROM (SELECT :now AT TIME ZONE 'Africa/Nairobi' AS now) l
        ) begun
        JOIN spending x ON x.account_id = s.account_id AND x.hour >= begun.month
    ) spent
    CROSS JOIN LATERAL (
        SELECT CASE WHEN s.cooling_until > :now THEN s.cooling_until END AS until
    ) c
    CROSS JOIN LATERAL (
        SELECT CASE WHEN c.until IS NOT NULL
               THEN (cooling_limit(s.cooling, :now)).order_max END AS cool_once,
               CASE WHEN c.until IS NOT NULL
               THEN (cooling_limit(s.cooling, :now)).day_max
                   - cooling_spent(s.account_id, s.cooling_from, :now) END AS cool_today
    ) cool
    WHERE s.id = :subscriber
""")


def allowance(
    session: Session, *, subscriber: int, now: datetime, kind: str = "transfer"
) -> Allowance:
    """
    What somebody may still move by a kind of movement, and hold. Advice: `post` decides.

    Raises:
        AccountSuspended: Nothing.
        NotScreened: Nothing yet.
    """
    given = {"subscriber": subscriber, "kind": kind, "now": now}
    row = session.execute(_ALLOWED, given).one()
    if (error := standing(row.tier, row.screening)) is not None:
        raise error
    at_once, today = row.order_max, row.day_max - row.today
    if row.until is not None:
        at_once, today = min(at_once, row.cool_once), min(today, row.cool_today)
    return Allowance(
        at_once=kes(at_once),
        today=kes(max(int(today), 0)),
        this_month=kes(max(int(row.month_max - row.this_month), 0)),
        balance_max=kes(row.balance_max),
        cooling_until=row.until,
    )
