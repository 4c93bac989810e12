"""
Rates of exchange: what a source said, when, and what a person gets for their money.

A worker fetches a feed every half minute and keeps what it said; a door quotes from the newest
rows and refuses one that is too old. No door waits for anybody's feed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Final, Protocol

from sqlalchemy import DateTime, Identity, Index, Integer, Numeric, Text, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.errors import Invalid, Unavailable
from core.money import Currency, Money

# The feed is fetched every 30 s; a source that has been silent for three of them is not believed.
AGE_MAX: Final = timedelta(seconds=90)
# A source whose clock is ahead of ours by more than this is not believed either.
AHEAD_MAX: Final = timedelta(seconds=30)
_HUNDRED_PERCENT: Final = 10_000


@dataclass(eq=False)
class RateStale(Unavailable):
    """The newest rate is too old to sell at."""


@dataclass(eq=False)
class SameCurrency(Invalid):
    """Money is exchanged for another currency."""


@dataclass(eq=False)
class ExchangeTooSmall(Invalid):
    """The amount is worth less than the smallest unit of the other currency."""


@dataclass(frozen=True, slots=True)
class Rate:
    """
    What one `base` is worth in `quote`, whole units for whole units.

    Args:
        base: The currency that is priced.
        quote: The currency it is priced in.
        bid: What a buyer pays for one.
        ask: What a seller wants for one; not below `bid`.
        source: Who said so.
        at: When they said so.
    """

    base: Currency
    quote: Currency
    bid: Decimal
    ask: Decimal
    source: str
    at: datetime


class RateSource(Protocol):
    """Somebody who knows rates."""

    def rates(self) -> Sequence[Rate]:
        """Ask for the rates of now; raises `workers.errors.Unreachable` when there are none."""
        ...


class StoredRate(Base):
    """A rate as it was fetched. Rows are added, never changed."""

    __tablename__ = "rates"
    __table_args__ = (Index("ix_rates_newest", "base", "quote", "at"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    base: Mapped[str] = mapped_column(Text)
    quote: Mapped[str] = mapped_column(Text)
    bid: Mapped[Decimal] = mapped_column(Numeric(24, 12))
    ask: Mapped[Decimal] = mapped_column(Numeric(24, 12))
    source: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    fetched_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Margin(Base):
    """What we add to a source's spread, in basis points, from an instant on; the newest counts."""

    __tablename__ = "margins"

    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    basis_points: Mapped[int] = mapped_column(Integer)


@dataclass(frozen=True, slots=True)
class Price:
    """
    What an amount of one currency is worth in another, now.

    Args:
        give: What the person parts with.
        get: What they get for it: rounded down, as every fraction is ours.
        spread: What we keep of the middle price, in the currency of `get`.
        rate: Whole units of `get` for one whole unit of `give`, the person's price.
        source: Whose rates these are.
        at: When the older of them was true.
    """

    give: Money
    get: Money
    spread: Money
    rate: Decimal
    source: str
    at: datetime


def record(session: Session, *, rates: Sequence[Rate], now: datetime) -> None:
    """
    Keep what a source said.

    A rate that cannot be meant (not positive, bid above ask) is an error of the source's, and
    the whole answer is not believed.

    Raises:
        ValueError: A rate cannot be meant.
    """
    for rate in rates:
        if not 0 < rate.bid <= rate.ask or rate.at > now + AHEAD_MAX or rate.base is rate.quote:
            raise ValueError(f"{rate.source} says {rate.base}/{rate.quote} {rate.bid} {rate.ask}")
    if rates:
        session.execute(
            insert(StoredRate),
            [
                {
                    "base": rate.base.value,
                    "quote": rate.quote.value,
                    "bid": rate.bid,
                    "ask": rate.ask,
                    "source": rate.source,
                    "at": rate.at,
                    "fetched_at": now,
                }
                for rate in rates
            ],
        )


def price(session: Session, *, give: Money, currency: Currency, now: datetime) -> Price:
    """
    Price an exchange at the newest rates, with our margins: directly, or through US dollars.

    Raises:
        SameCurrency: There is nothing to exchange.
        RateStale: A rate is missing, or older than 90 seconds.
        ExchangeTooSmall: It is worth nothing in the other currency.
    """
    if give.currency is currency:
        raise SameCurrency
    legs = _legs(session, give.currency, currency, now=now)
    middle = person = Decimal(1)
    for leg in legs:
        middle *= leg.middle
        person *= leg.person
    margin = _margin(session, give.currency, now=now) + _margin(session, currency, now=now)
    person = person * (_HUNDRED_PERCENT - margin) / _HUNDRED_PERCENT
    get = _worth(give, person, currency)
    if get.minor == 0:
        raise ExchangeTooSmall
    spread = Money(max(_worth(give, middle, currency).minor - get.minor, 0), currency)
    source, at = legs[0].source, min(leg.at for leg in legs)
    return Price(give, get, spread, person.quantize(Decimal("1e-12")), source, at)


def in_shillings(session: Session, *, currency: Currency, now: datetime) -> tuple[Money, Money]:
    """
    What a person gets for one whole unit of a currency, and what they give for one, in shillings.

    Raises:
        RateStale: A rate is missing, or older than 90 seconds.
    """
    # Of many, as a cent is too coarse for one naira, and a satoshi for one shilling.
    unit, many = 10**currency.exponent, 10**6
    sold = price(session, give=Money(many * unit, currency), currency=Currency.KES, now=now)
    given = Money(many * many, Currency.KES)
    bought = price(session, give=given, currency=currency, now=now)
    wanted = -(-given.minor * unit // bought.get.minor)
    return Money(sold.get.minor // many, Currency.KES), Money(wanted, Currency.KES)


def middle_at_most(session: Session, *, give: Money, currency: Currency, at: datetime) -> Money:
    """What an amount was worth at the best middle price that any rate could be had by at `at`."""
    among = {give.currency.value, currency.value, Currency.USD.value}
    both = StoredRate.bid + StoredRate.ask
    told = session.execute(
        select(StoredRate.base, StoredRate.quote, func.max(both), func.min(both))
        .where(StoredRate.base.in_(among), StoredRate.quote.in_(among))
        .where(StoredRate.at > at - AGE_MAX, StoredRate.at <= at + AHEAD_MAX)
        .group_by(StoredRate.base, StoredRate.quote)
    )
    best: dict[tuple[str, str], Decimal] = {}
    for base, quote, most, least in told:
        best[base, quote] = max(best.get((base, quote), Decimal(0)), most / 2)
        best[quote, base] = max(best.get((quote, base), Decimal(0)), 2 / least)
    a, b, usd = give.currency.value, currency.value, Currency.USD.value
    nothing = Decimal(0)
    through = best.get((a, usd), nothing) * best.get((usd, b), nothing)
    return _worth(give, max(best.get((a, b), nothing), through), currency)


@dataclass(frozen=True, slots=True)
class _Leg:
    """One step from a currency to another: what the middle price and the person's price are."""

    middle: Decimal
    person: Decimal
    source: str
    at: datetime


def _legs(session: Session, give: Currency, get: Currency, *, now: datetime) -> list[_Leg]:
    direct = _leg(session, give, get, now=now)
    if direct is not None:
        return [direct]
    through = [
        _leg(session, give, Currency.USD, now=now),
        _leg(session, Currency.USD, get, now=now),
    ]
    found = [leg for leg in through if leg is not None]
    if len(found) != len(through):
        raise RateStale
    return found


def _leg(session: Session, give: Currency, get: Currency, *, now: datetime) -> _Leg | None:
    """One step, by a fresh rate of the pair, whichever way round it is told."""
    newest = (
        select(StoredRate)
        .where(StoredRate.at > now - AGE_MAX, StoredRate.at <= now + AHEAD_MAX)
        .order_by(StoredRate.at.desc(), StoredRate.id.desc())
        .limit(1)
    )
    sold = session.scalar(newest.where(StoredRate.base == give, StoredRate.quote == get))
    if sold is not None:
        return _Leg((sold.bid + sold.ask) / 2, sold.bid, sold.source, sold.at)
    bought = session.scalar(newest.where(StoredRate.base == get, StoredRate.quote == give))
    if bought is not None:
        middle = 2 / (bought.bid + bought.ask)
        return _Leg(middle, 1 / bought.ask, bought.source, bought.at)
    return None


def _margin(session: Session, currency: Currency, *, now: datetime) -> int:
    found = session.scalar(
        select(Margin.basis_points)
        .where(Margin.currency == currency.value, Margin.valid_from <= now)
        .order_by(Margin.valid_from.desc())
        .limit(1)
    )
    return found or 0


def _worth(money: Money, rate: Decimal, currency: Currency) -> Money:
    scaled = (Decimal(money.minor) * rate).scaleb(currency.exponent - money.currency.exponent)
    return Money(int(scaled.to_integral_value(ROUND_DOWN)), currency)
