"""
Arrivals: money that has come in over a rail is in the book, on somebody's account or in suspense.

It has come in already: it is never refused, and what nobody may have stands in suspense.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from core import chart, ledger, limits
from core.chart import Place, Wanted
from core.errors import DomainError
from core.ledger import Draft, Journal, Posting, Reason
from core.money import Currency, Money
from core.subscribers import AccountClosed, Subscriber

# A shop bears the fee of what is paid at its till, as of any payment.
FEES: Final[dict[str, tuple[str, Place]]] = {
    "own": ("deposit", chart.DEPOSIT_FEES),
    "till": ("payment", chart.PAYMENT_FEES),
}


def fee(session: Session, *, amount: Money, purpose: str, now: datetime) -> Money:
    """What we keep of an amount that comes in, excise duty within it."""
    kind = FEES[purpose][0]
    due = session.scalar(select(func.fee(kind, amount.currency.value, amount.minor, now)))
    return Money(int(due or 0), amount.currency)


def credit(
    session: Session,
    *,
    key: str,
    reference: str,
    subscriber: int,
    amount: Money,
    fee: Money,
    purpose: str,
    now: datetime,
    is_suspended: bool = False,
    provider: str = "mpesa",
) -> Posting | DomainError:
    """
    Put what has come in, less our fee, on somebody's account; or say why they may not have it.

    Args:
        session: The caller's transaction, a worker's, which holds the lock of what it is for.
        key: The journal's.
        reference: What people call it.
        subscriber: Whose it is.
        amount: What has come in.
        fee: What we keep of it.
        purpose: `own` or `till`.
        now: When.
        is_suspended: Whether it stands in suspense, and not where it came in.
        provider: Over whose rail.
    """
    currency = amount.currency
    income = FEES[purpose][1]
    places = chart.RAILS[provider]
    source = places.suspense if is_suspended else places.collected
    main: Wanted = (chart.MAIN, currency, subscriber)
    if (error := left(session, subscriber)) is not None:
        return error
    wanted = [main, (source, currency, None), (income, currency, None)]
    ids = chart.opened(session, [*wanted, (chart.EXCISE, currency, None)])
    others = [ids[source, currency, None]]
    refusal = session.scalar(
        select(
            func.arrival_refusal(
                ids[main], others, amount.minor - fee.minor, now, type_=JSONB(none_as_null=True)
            )
        )
    )
    if refusal is not None:
        closed = refusal["code"] == AccountClosed.code
        return AccountClosed() if closed else limits.refusal(refusal["code"], refusal)
    duty = int(session.scalar(select(func.excise(fee.minor, now))) or 0)
    legs = {ids[source, currency, None]: -amount.minor, ids[main]: amount.minor - fee.minor}
    if fee.minor > duty:
        legs[ids[income, currency, None]] = fee.minor - duty
    if duty:
        legs[ids[chart.EXCISE, currency, None]] = duty
    reason = Reason.RESOLUTION if is_suspended else Reason.DEPOSIT
    return post(session, Draft(key, reason, legs, reference), now=now)


def suspend(
    session: Session, *, key: str, amount: Money, now: datetime, provider: str = "mpesa"
) -> None:
    """Keep what has come in where it is nobody's, until somebody says whose."""
    places = chart.RAILS[provider]
    legs = legs_between(session, places.collected, places.suspense, amount)
    post(session, Draft(key, Reason.SUSPENSE, legs), now=now)


def let_go(
    session: Session, *, key: str, amount: Money, now: datetime, provider: str = "mpesa"
) -> None:
    """Take out of suspense what went back to who paid it, or had never come."""
    places = chart.RAILS[provider]
    legs = legs_between(session, places.suspense, places.collected, amount)
    post(session, Draft(key, Reason.RESOLUTION, legs), now=now)


def left(session: Session, subscriber: int) -> AccountClosed | None:
    """What stands against opening an account of theirs at all: they may have left."""
    closed = session.scalar(select(Subscriber.closed_at).where(Subscriber.id == subscriber))
    return None if closed is None else AccountClosed()


def post(session: Session, draft: Draft, *, now: datetime) -> Posting:
    """Write one journal that cannot be refused."""
    [posting] = ledger.post(session, drafts=[draft], now=now)
    assert posting.is_posted, f"{draft.key}: {posting.outcome}"
    return posting


def balance_after(posting: Posting, session: Session, subscriber: int, currency: Currency) -> int:
    """What somebody has after an arrival, in minor units."""
    main = ledger.account_id(session, path=chart.MAIN.named(currency, owner=subscriber))
    return posting.balance_after(main)


def journal(session: Session, key: str) -> int:
    """The id of a journal that was posted: with it, a receipt gets its seal."""
    return session.scalars(select(Journal.id).where(Journal.key == key)).one()


def legs_between(session: Session, source: Place, target: Place, amount: Money) -> dict[int, int]:
    """Money of ours from one place to another."""
    wanted = [(place, amount.currency, None) for place in (source, target)]
    ids = chart.opened(session, wanted)
    return {ids[wanted[0]]: -amount.minor, ids[wanted[1]]: amount.minor}
