"""
Withdrawals as their owners see them by a program: one by its reference, or page by page.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from core.money import Money, kes
from core.withdrawals.rows import UnknownWithdrawal, Withdrawal


def of_reference(session: Session, *, subscriber: int, reference: str) -> Withdrawal:
    """
    Somebody's withdrawal.

    Raises:
        UnknownWithdrawal: They have none with that reference, or it is not set aside yet.
    """
    found = session.scalars(
        select(Withdrawal).where(
            Withdrawal.reference == reference, Withdrawal.subscriber_id == subscriber
        )
    ).one_or_none()
    if found is None:
        raise UnknownWithdrawal
    return found


def listed(
    session: Session, *, subscriber: int, before: int | None, count: int
) -> Sequence[Withdrawal]:
    """Somebody's withdrawals, the newest first; `before` is the id to go on from."""
    found = select(Withdrawal).where(Withdrawal.subscriber_id == subscriber)
    if before is not None:
        found = found.where(Withdrawal.id < before)
    return session.scalars(found.order_by(Withdrawal.id.desc()).limit(count)).all()


_TODAY: Final = text("""
    SELECT coalesce(sum(equivalent(w.amount, w.currency, 'KES', :now)), 0)
    FROM (
        SELECT amount, currency, requested_at FROM withdrawals
        WHERE subscriber_id = :subscriber AND state NOT IN ('failed', 'returned')
        UNION ALL
        SELECT CAST(args ->> 'amount' AS bigint), args ->> 'currency', placed_at FROM orders
        WHERE state = 'placed' AND kind = 'withdrawal' AND subscriber_id = :subscriber
    ) w (amount, currency, at)
    WHERE w.at >= date_trunc('day', :now AT TIME ZONE 'Africa/Nairobi')
        AT TIME ZONE 'Africa/Nairobi'
""")


def today(session: Session, *, subscriber: int, now: datetime) -> Money:
    """What somebody has taken out today in Nairobi, or ordered to be, in shillings as `worth`."""
    given = {"subscriber": subscriber, "now": now}
    return kes(int(session.scalar(_TODAY, given) or 0))


def worth(session: Session, *, amount: Money, now: datetime) -> Money:
    """What an amount is in shillings, by the rates that limits go by."""
    given = (amount.minor, amount.currency.value, "KES", now)
    return kes(int(session.scalar(select(func.equivalent(*given))) or 0))
