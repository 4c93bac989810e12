"""
Rails: who moves money between us and the outside, what they hold for us, and when payouts stop.

A breaker is a row: while one is open, nothing is paid out over that rail, whatever restarts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import BigInteger, DateTime, Identity, Index, Text, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, chart, ledger
from core.audit import Action, Actor
from core.chart import Place
from core.db import Base, alone
from core.decisions import words
from core.errors import Invalid, NotFound, Refused
from core.ledger import Draft, InsufficientFunds, Reason
from core.money import Currency, Money
from core.msisdn import InvalidMsisdn

_MOBILE: Final = re.compile(r"\+254[17][0-9]{8}")


class Provider(StrEnum):
    """Whose rail it is."""

    MPESA = "mpesa"
    PAYSTACK = "paystack"
    FLUTTERWAVE = "flutterwave"


CHECKOUTS: Final = (Provider.PAYSTACK, Provider.FLUTTERWAVE)
"""Those on whose own page people pay, and which pay out to banks."""


class Pot(StrEnum):
    """Where our money is at a provider, or on the way there."""

    PAYBILL = "paybill"
    """What people paid in."""
    UTILITY = "utility"
    """What payouts are made from: the float."""
    BANK = "bank"
    """Our bank account, where what is in a pot comes from, or goes."""
    COSTS = "costs"
    """What the provider has charged us."""


def _place(provider: Provider, pot: Pot) -> Place:
    places = chart.RAILS[provider]
    return {
        Pot.PAYBILL: places.collected,
        Pot.UTILITY: places.float_,
        Pot.BANK: chart.BANK,
        Pot.COSTS: places.costs,
    }[pot]


@dataclass(eq=False)
class RailNotOffered(Refused):
    """Money does not come in or go out that way here, or not in that currency."""


@dataclass(eq=False)
class NotWholeShillings(Invalid):
    """M-Pesa moves whole Kenyan shillings alone."""


@dataclass(eq=False)
class BreakerClosed(NotFound):
    """Payouts over that rail are not stopped."""


class Breaker(Base):
    """
    Payouts over a rail were stopped. `until` ends it by itself; without one, only staff do.

    `code` is the provider's own for what was wrong on our side.
    """

    __tablename__ = "breakers"
    __table_args__ = (
        Index(
            "uq_breakers_open",
            "provider",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    provider: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    code: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(Text)
    until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_by: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)


class ProviderBalance(Base):
    """What a provider said last that we have in one of its accounts, in minor units."""

    __tablename__ = "provider_balances"

    provider: Mapped[str] = mapped_column(Text, primary_key=True)
    account: Mapped[str] = mapped_column(Text, primary_key=True)
    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    available: Mapped[int] = mapped_column(BigInteger)
    told_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def require_whole(amount: Money) -> None:
    """
    See that an amount can go over a rail as it is: it is refused, never rounded.

    Raises:
        NotWholeShillings: It has cents, or is in another currency.
    """
    if amount.currency is not Currency.KES or amount.minor % 100:
        raise NotWholeShillings


def require_mobile(msisdn: str) -> None:
    """
    See that a number (E.164) is one that M-Pesa could serve; whether it does, it says itself.

    Raises:
        InvalidMsisdn: It is none.
    """
    if not _MOBILE.fullmatch(msisdn):
        raise InvalidMsisdn


def open_breaker(
    session: Session,
    *,
    provider: Provider,
    code: str,
    why: str,
    now: datetime,
    until: datetime | None = None,
    replaces: bool = False,
) -> bool:
    """
    Stop payouts over a rail; return whether they were not stopped already, or not for good.

    A stop without an end takes the place of one that has one, so that its own reason stands.

    Args:
        session: The caller's transaction.
        provider: Whose rail.
        code: The provider's, for what is wrong on our side.
        why: In words fit for a log.
        now: When.
        until: When they may go on by themselves; None: when staff say so. The later one counts,
            and None is later than any.
        replaces: Whether it is told instead of anything else that stops them: it stops more.
    """
    # One after the other: none may meet a stop that was not there when it looked.
    alone(session, "breakers")
    close_expired(session, provider=provider, now=now)
    _give_way(session, provider, code, replaces=replaces, is_endless=until is None, now=now)
    given = {"provider": provider.value, "code": code, "why": why, "now": now, "until": until}
    made = session.scalar(
        text(
            "INSERT INTO breakers AS b (provider, opened_at, code, why, until)"
            " VALUES (:provider, :now, :code, :why, :until)"
            " ON CONFLICT (provider) WHERE closed_at IS NULL DO UPDATE"
            " SET until = CASE WHEN b.until IS NULL OR excluded.until IS NULL THEN NULL"
            " ELSE greatest(b.until, excluded.until) END"
            " RETURNING xmax = 0"
        ),
        given,
    )
    return bool(made)


def close_breaker(
    session: Session, *, provider: Provider, actor: Actor, note: str, now: datetime
) -> None:
    """
    Let payouts go on: staff have mended what was wrong.

    Raises:
        BreakerClosed: They were not stopped.
        NoReason: There is no note, or it is too long.
    """
    said = words(note)
    found = _open(session, provider)
    if found is None:
        raise BreakerClosed
    found.closed_at, found.closed_by, found.note = now, actor.name, said
    session.flush()
    audit.record(
        session,
        actor=actor,
        action=Action.BREAKER_CLOSED,
        subject=f"breaker:{found.id}",
        detail={"provider": provider.value, "code": found.code, "note": said},
        now=now,
    )


def close_expired(session: Session, *, provider: Provider, now: datetime) -> None:
    """Let payouts go on where their stop had an end, and it has come."""
    found = _open(session, provider)
    if found is not None and found.until is not None and found.until <= now:
        found.closed_at, found.closed_by, found.note = now, "system", "its time was over"
        session.flush()


def _give_way(
    session: Session,
    provider: Provider,
    code: str,
    *,
    replaces: bool,
    is_endless: bool,
    now: datetime,
) -> None:
    found = _open(session, provider)
    if found is None:
        return
    if (replaces and found.code != code) or (is_endless and found.until is not None):
        found.closed_at, found.closed_by, found.note = now, "system", f"{code} took its place"
        session.flush()


def breaker(session: Session, *, provider: Provider, now: datetime) -> Breaker | None:
    """What stops payouts over a rail now, if anything does."""
    found = session.scalars(
        select(Breaker).where(Breaker.provider == provider.value, Breaker.closed_at.is_(None))
    ).one_or_none()
    return None if found is None or (found.until is not None and found.until <= now) else found


def _open(session: Session, provider: Provider) -> Breaker | None:
    return session.scalars(
        select(Breaker)
        .where(Breaker.provider == provider.value, Breaker.closed_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def tell_balance(
    session: Session, *, provider: Provider, account: str, available: Money, now: datetime
) -> None:
    """Keep what a provider says that we have in one of its accounts; older news change nothing."""
    told = {"available": available.minor, "told_at": now}
    session.execute(
        insert(ProviderBalance)
        .values(provider=provider.value, account=account, currency=available.currency.value, **told)
        .on_conflict_do_update(
            index_elements=["provider", "account", "currency"],
            set_=told,
            where=ProviderBalance.told_at <= now,
        )
    )


def told_balance(
    session: Session, *, provider: Provider, account: str, currency: Currency
) -> tuple[Money, datetime] | None:
    """What a provider said last that we have in one of its accounts, and when."""
    row = session.execute(
        select(ProviderBalance.available, ProviderBalance.told_at).where(
            ProviderBalance.provider == provider.value,
            ProviderBalance.account == account,
            ProviderBalance.currency == currency.value,
        )
    ).one_or_none()
    return None if row is None else (Money(row[0], currency), row[1])


def move(
    session: Session,
    *,
    amount: Money,
    source: Pot,
    target: Pot,
    key: str,
    actor: Actor,
    note: str,
    now: datetime,
    provider: Provider = Provider.MPESA,
) -> None:
    """
    Write down that money of ours went from one pot to another. Safe to repeat under its key.

    Args:
        session: The caller's transaction, a worker's.
        amount: How much; cents too, as charges have them.
        source: Where from.
        target: Where to.
        key: What makes a repeat harmless: the provider's receipt, or what staff call it.
        actor: The staff member who has seen it.
        note: Why, in words.
        now: When.
        provider: Whose pots.

    Raises:
        InsufficientFunds: The book says that there is not so much.
        NoReason: There is no note, or it is too long.
    """
    said = words(note)
    assert source is not target, "money goes somewhere else"
    places = [_place(provider, pot) for pot in (source, target)]
    ids = chart.opened(session, [(place, amount.currency, None) for place in places])
    legs = {
        ids[places[0], amount.currency, None]: amount.minor,
        ids[places[1], amount.currency, None]: -amount.minor,
    }
    draft = Draft(f"float:{key}", Reason.FLOAT, legs)
    [posting] = ledger.post(session, drafts=[draft], now=now)
    if posting.outcome == InsufficientFunds.code:
        available = Money(posting.detail["available"], amount.currency)
        raise InsufficientFunds(available=available, requested=amount)
    assert posting.is_posted, f"{draft.key}: {posting.outcome}"
    if posting.outcome == "posted":
        detail = {"amount": amount.minor, "currency": amount.currency.value, "note": said}
        audit.record(
            session,
            actor=actor,
            action=Action.FLOAT_MOVED,
            subject=draft.key,
            detail=detail | {"from": source.value, "to": target.value},
            now=now,
        )
