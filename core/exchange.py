"""
Exchange: a price is promised for a minute, and an order for it is executed at exactly that price.

Both currencies move in one journal, each summing to zero by itself: what the person gives goes to
our liquidity in that currency, what they get comes from our liquidity in the other, and what we
keep of the middle price is an entry of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Numeric,
    Row,
    Text,
    func,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import chart, cooling, limits, orders, rates
from core.cooling import CoolingOff
from core.db import Base
from core.errors import DomainError, NotFound, Refused
from core.ledger import Account, Draft, InsufficientFunds, Posting, Reason
from core.money import Currency, Money
from core.orders import Kind, Order, Outcome, Placed, State
from core.outbox import Event, Fact
from core.plans import Plan, Result
from core.subscribers import AccountClosed

PROMISED_FOR: Final = timedelta(seconds=60)
# How long an order may wait for a worker: by later, the market has gone elsewhere.
WAITS_MAX: Final = timedelta(minutes=10)


@dataclass(eq=False)
class UnknownQuote(NotFound):
    """No price of theirs was promised under that number."""


@dataclass(eq=False)
class QuoteExpired(Refused):
    """The price was promised for a minute, which is over."""


@dataclass(eq=False)
class QuoteUsed(Refused):
    """The price was promised for one exchange, which was ordered."""


class QuoteForged(Exception):
    """The quote promises more than any rate of then: somebody writes quotes of their own."""


class Quote(Base):
    """
    A price promised to a subscriber until `expires_at`, for one order.

    Amounts are minor units; `spread` is in the currency of `get`. Programs know it by `public_id`.
    """

    __tablename__ = "quotes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    public_id: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid(), unique=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id"))
    give_currency: Mapped[str] = mapped_column(Text)
    give: Mapped[int] = mapped_column(BigInteger)
    get_currency: Mapped[str] = mapped_column(Text)
    get: Mapped[int] = mapped_column(BigInteger)
    spread: Mapped[int] = mapped_column(BigInteger)
    rate: Mapped[Decimal] = mapped_column(Numeric(36, 12))
    source: Mapped[str] = mapped_column(Text)
    rate_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    quoted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    order_id: Mapped[int | None] = mapped_column(ForeignKey(Order.id), unique=True)


@dataclass(frozen=True, slots=True)
class Quoted:
    """A promised price, as its owner is shown it."""

    id: int
    price: rates.Price
    expires_at: datetime
    public_id: UUID


def quote(
    session: Session, *, subscriber: int, give: Money, currency: Currency, now: datetime
) -> Quoted:
    """
    Promise a price for a minute.

    Args:
        session: The caller's transaction.
        subscriber: To whom.
        give: What they would part with.
        currency: What they would get.
        now: When.

    Raises:
        CoolingOff: Their account cools off.
        InsufficientFunds: They hold less than they would give.
        SameCurrency, RateStale, ExchangeTooSmall: As `rates.price`.
    """
    cooling.require_over(session, subscriber=subscriber, now=now)
    path = chart.MAIN.named(give.currency, owner=subscriber)
    held = session.scalar(select(Account.balance).where(Account.path == path)) or 0
    if held < give.minor:
        available = Money(held, give.currency)
        raise InsufficientFunds(available=available, requested=give)
    price = rates.price(session, give=give, currency=currency, now=now)
    made = Quote(
        subscriber_id=subscriber,
        give_currency=give.currency.value,
        give=give.minor,
        get_currency=currency.value,
        get=price.get.minor,
        spread=price.spread.minor,
        rate=price.rate,
        source=price.source,
        rate_at=price.at,
        quoted_at=now,
        expires_at=now + PROMISED_FOR,
    )
    session.add(made)
    session.flush()
    return Quoted(made.id, price, made.expires_at, made.public_id)


def named(session: Session, *, subscriber: int, public_id: UUID) -> int:
    """
    The price that was promised to somebody under a name.

    Raises:
        UnknownQuote: Nothing was promised to them under it.
    """
    found = session.scalar(
        select(Quote.id).where(Quote.public_id == public_id, Quote.subscriber_id == subscriber)
    )
    if found is None:
        raise UnknownQuote
    return found


def order(session: Session, *, subscriber: int, quote: int, key: str, now: datetime) -> Placed:
    """
    Order an exchange at a promised price. Nothing has moved until a ledger worker executes it.

    Safe to repeat: the same key finds the first order.

    Raises:
        UnknownQuote: Nothing was promised to them under that number.
        QuoteExpired: The minute is over.
        QuoteUsed: Another order took it.
        KeyReused: The key was used before for something else.
    """
    found = session.get(Quote, quote, with_for_update=True, populate_existing=True)
    if found is None or found.subscriber_id != subscriber:
        raise UnknownQuote
    if found.order_id is None and found.expires_at <= now:
        raise QuoteExpired
    placed = orders.place(
        session,
        kind=Kind.EXCHANGE,
        subscriber=subscriber,
        args={"quote": quote},
        key=key,
        now=now,
    )
    if found.order_id not in (None, placed.id):
        raise QuoteUsed
    found.order_id = placed.id
    return placed


_CLAIMED = text("""
    SELECT o.id, o.key, o.reference, o.placed_at, q.quoted_at, q.give_currency, q.give,
           q.get_currency, q.get, q.spread,
           s.id AS subscriber, s.msisdn, s.language, s.tier, s.screening, s.closed_at,
           s.cooling_until
    FROM orders o
    JOIN subscribers s ON s.id = o.subscriber_id
    JOIN quotes q ON q.id = CAST(o.args ->> 'quote' AS bigint) AND q.order_id = o.id
    WHERE o.id = ANY (:ids)
    ORDER BY o.id
""")


def plan(session: Session, *, ids: Sequence[int], now: datetime) -> list[Plan]:
    """What placed exchanges come to: one journal in two currencies, at the promised price."""
    plans = []
    rows = session.execute(_CLAIMED, {"ids": list(ids)}).all()
    assert len(rows) == len(ids), "each has a price of its own"
    for row in rows:
        if (error := _objection(row, now=now)) is not None:
            [told] = _refused(row, error).facts
            plans.append(Plan.refused(row.id, error, told))
            continue
        give, get = Currency[row.give_currency], Currency[row.get_currency]
        # Doors write quotes: whoever took one over could promise themselves anything.
        most = rates.middle_at_most(
            session, give=Money(row.give, give), currency=get, at=row.quoted_at
        )
        if most.minor < row.get + row.spread:
            raise QuoteForged(row.reference)
        mine = chart.MAIN.open(session, currency=give, owner=row.subscriber)
        theirs = chart.MAIN.open(session, currency=get, owner=row.subscriber)
        legs = {
            mine: -row.give,
            chart.LIQUIDITY.open(session, currency=give): row.give,
            chart.LIQUIDITY.open(session, currency=get): -(row.get + row.spread),
            theirs: row.get,
        }
        if row.spread:
            legs[chart.SPREAD.open(session, currency=get)] = row.spread
        draft = Draft(row.key, Reason.EXCHANGE, legs, reference=row.reference)
        settle = partial(_settle, row, mine=mine, theirs=theirs, now=now)
        plans.append(Plan(row.id, [draft], settle))
    return plans


def _objection(row: Row[Any], *, now: datetime) -> DomainError | None:
    """What is wrong with an exchange before the book is even opened."""
    if row.closed_at is not None:
        return AccountClosed()
    if row.cooling_until is not None and now < row.cooling_until:
        return CoolingOff(until=row.cooling_until)
    # Doors write when a price was promised, and when it was taken; the clock here is not theirs.
    taken_late = row.placed_at >= row.quoted_at + PROMISED_FOR
    if taken_late or now - row.quoted_at > PROMISED_FOR + WAITS_MAX:
        return QuoteExpired()
    return limits.standing(row.tier, row.screening)


def refuse(session: Session, *, order: int, error: DomainError) -> Result:
    """What is recorded and told when an exchange cannot be executed."""
    row = session.execute(_CLAIMED, {"ids": [order]}).one()
    return _refused(row, error)


def _settle(
    row: Row[Any], postings: Sequence[Posting], *, mine: int, theirs: int, now: datetime
) -> Result:
    [posting] = postings
    give = Money(row.give, Currency[row.give_currency])
    if not posting.is_posted:
        available = Money(posting.detail["available"], give.currency)
        return _refused(row, InsufficientFunds(available=available, requested=give))
    facts = _about(row) | {
        "balance_given": posting.balance_after(mine),
        "balance_got": posting.balance_after(theirs),
        "at": now.isoformat(),
    }
    told = Fact(Event.EXCHANGED, row.msisdn, row.language, facts)
    return Result(Outcome(row.id, State.DONE, dict(posting.detail)), [told])


def _refused(row: Row[Any], error: DomainError) -> Result:
    outcome = Outcome.refused(row.id, error)
    facts = _about(row) | {"refusal": outcome.facts}
    return Result(outcome, [Fact(Event.EXCHANGE_REFUSED, row.msisdn, row.language, facts)])


def _about(row: Row[Any]) -> dict[str, object]:
    return {
        "reference": row.reference,
        "given": row.give,
        "given_currency": row.give_currency,
        "got": row.get,
        "got_currency": row.get_currency,
        "spread": row.spread,
    }
