"""
Settlements: what a shop has taken goes to its owner's own number, when they ask, or every day.

A settlement is a withdrawal like any other, of all that the account holds in whole shillings less
what it costs, as far as its holder's limits go now: the rest goes another day.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from sqlalchemy import Boolean, Date, DateTime, ForeignKey, Index, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, limits, subscribers, withdrawals
from core.audit import Action, Actor
from core.db import Base
from core.errors import DomainError
from core.ledger import InsufficientFunds
from core.money import kes
from core.orders import Placed
from core.statements import NAIROBI
from core.subscribers import Person, Subscriber
from core.withdrawals import Quote

_MOST: Final = 250_000_00
_LEAST: Final = 10_00

# The most that can be paid out of what is held: what it costs grows in steps, so the whole
# shillings below are tried; none costs more than five hundred.
_AFFORDED: Final = text("""
    WITH priced AS (
        SELECT a.amount, a.amount + fee('withdrawal', 'KES', a.amount, :now)
            + fee('mpesa-payout', 'KES', a.amount, :now) AS total
        FROM generate_series(greatest(:least, :top - 50000), greatest(:least, :top), 100)
            AS a (amount)
    )
    SELECT max(amount) FILTER (WHERE total <= :held) AS amount, min(total) AS least FROM priced
""")


class MerchantSettlement(Base):
    """Whether a merchant is settled every day. `settled_on` is the last day they were, or tried."""

    __tablename__ = "merchant_settlements"
    __table_args__ = (
        Index("ix_merchant_settlements_daily", "subscriber_id", postgresql_where=text("is_daily")),
    )

    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id), primary_key=True)
    is_daily: Mapped[bool] = mapped_column(Boolean)
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    settled_on: Mapped[date | None] = mapped_column(Date)


def set_daily(
    session: Session, *, subscriber: int, is_daily: bool, actor: Actor, now: datetime
) -> None:
    """
    Let a merchant be settled every day, or no longer.

    Args:
        session: The caller's transaction.
        subscriber: The merchant.
        is_daily: Whether they are.
        actor: Who wants it so; kept in the audit log where it was otherwise.
        now: When.
    """
    changed = {"is_daily": is_daily, "changed_at": now}
    found = session.scalar(
        insert(MerchantSettlement)
        .values(subscriber_id=subscriber, **changed)
        .on_conflict_do_update(
            index_elements=["subscriber_id"],
            set_=changed,
            where=MerchantSettlement.is_daily != is_daily,
        )
        .returning(MerchantSettlement.subscriber_id)
    )
    if found is not None:
        audit.record(
            session,
            actor=actor,
            action=Action.DAILY_SETTLEMENT_SET,
            subject=f"subscriber:{subscriber}",
            detail={"is_daily": is_daily},
            now=now,
        )


def is_daily(session: Session, *, subscriber: int) -> bool:
    """Whether a merchant is settled every day."""
    found = session.scalar(
        select(MerchantSettlement.is_daily).where(MerchantSettlement.subscriber_id == subscriber)
    )
    return bool(found)


def quote(session: Session, *, person: Person, now: datetime) -> Quote:
    """
    Price the settlement of all that somebody holds: the most that they may be paid out now.

    Raises:
        InsufficientFunds: Too little is left after what it costs.
        AccountSuspended, AmountTooSmall, DailyLimitReached and others: As `withdrawals.quote`.
    """
    found = subscribers.recipient(session, msisdn=person.msisdn)
    may = limits.allowance(session, subscriber=found.id, kind="withdrawal", now=now)
    most = min(found.balance, may.at_once, may.today, may.this_month, kes(_MOST))
    top = most.minor // 100 * 100
    given = {"top": top, "held": found.balance.minor, "least": _LEAST, "now": now}
    row = session.execute(_AFFORDED, given).one()
    if row.amount is None:
        raise InsufficientFunds(available=found.balance, requested=kes(row.least))
    return withdrawals.quote(session, person=found, amount=kes(row.amount), now=now)


def due(session: Session, *, now: datetime, merchants_max: int) -> list[int]:
    """Who is to be settled today and was not: after midnight in Nairobi, in the order of ids."""
    today = now.astimezone(NAIROBI).date()
    found = (
        select(MerchantSettlement.subscriber_id)
        .join(Subscriber, Subscriber.id == MerchantSettlement.subscriber_id)
        .where(MerchantSettlement.is_daily, Subscriber.closed_at.is_(None))
        .where(MerchantSettlement.settled_on.is_(None) | (MerchantSettlement.settled_on < today))
        .order_by(MerchantSettlement.subscriber_id)
        .limit(merchants_max)
    )
    return list(session.scalars(found))


def settle(session: Session, *, subscriber: int, now: datetime) -> Placed | DomainError | None:
    """
    Order a merchant's settlement of today, once; None where they are not to be settled.

    What stands against it is returned, and it is tried again tomorrow.
    """
    today = now.astimezone(NAIROBI).date()
    mine = session.scalar(
        update(MerchantSettlement)
        .where(MerchantSettlement.subscriber_id == subscriber, MerchantSettlement.is_daily)
        .where(MerchantSettlement.settled_on.is_(None) | (MerchantSettlement.settled_on < today))
        .values(settled_on=today)
        .returning(MerchantSettlement.subscriber_id)
    )
    msisdn = session.scalar(
        select(Subscriber.msisdn).where(Subscriber.id == mine, Subscriber.closed_at.is_(None))
    )
    if msisdn is None:
        return None
    person = subscribers.recipient(session, msisdn=msisdn)
    try:
        return withdrawals.order(
            session,
            person=person,
            payee=person.msisdn,
            quoted=quote(session, person=person, now=now),
            key=f"settlement:{subscriber}:{today.isoformat()}",
            now=now,
            purpose="settlement",
        )
    except DomainError as error:  # each is found before anything is written
        return error
