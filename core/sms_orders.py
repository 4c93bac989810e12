"""
Money that is asked for by SMS: a little at once, more when a code that was sent is said again.

Any sender of an SMS can be forged, and no PIN may come by SMS. So what goes without more is
bounded for a day; above that the words of the order come back with a code, and whoever has the
number's phone says it. That shows who has the phone and not who they are, so that is bounded too:
for more there is the menu, which asks for the PIN.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Date, ForeignKey, Text, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import otp, pins, transfers
from core.audit import Actor
from core.db import Base
from core.errors import Refused
from core.money import Currency, Money
from core.orders import Kind, Placed
from core.otp import Issued, NoOtp, Otp, Purpose
from core.otp_codes import OtpKey
from core.statements import NAIROBI
from core.subscribers import Person, Subscriber
from core.transfers import Quote, SameAccount

# The aggregator repeats for twelve hours what we did not take; by then they have dialled.
_AGE_MAX: Final = timedelta(minutes=30)


@dataclass(eq=False)
class SmsLimitReached(Refused):
    """More than may be moved by SMS in a day; the menu moves more."""

    limit: Money


@dataclass(eq=False)
class SmsTooLate(Refused):
    """The SMS came so late that who wrote it may have done it otherwise."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    How much somebody may move by SMS in a day in Nairobi, fees aside.

    Args:
        unconfirmed: Without a code.
        day: In all.
    """

    unconfirmed: Money
    day: Money


class SmsSpending(Base):
    """What somebody has ordered by SMS on a day, in cents of KES, whatever became of it."""

    __tablename__ = "sms_spending"

    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    unconfirmed: Mapped[int] = mapped_column(BigInteger, server_default="0")
    amount: Mapped[int] = mapped_column(BigInteger, server_default="0")


class SmsQuote(Base):
    """What a code stands for: exactly what was shown beside it. Amounts are cents of KES."""

    __tablename__ = "sms_quotes"

    otp_id: Mapped[int] = mapped_column(ForeignKey(Otp.id), primary_key=True, autoincrement=False)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id))
    kind: Mapped[str] = mapped_column(Text)
    recipient_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id))
    amount: Mapped[int] = mapped_column(BigInteger)
    fee: Mapped[int] = mapped_column(BigInteger)


def order(
    session: Session,
    *,
    sender: Person,
    recipient: Person,
    amount: Money,
    kind: Kind,
    bounds: Bounds,
    key: str,
    otp_key: OtpKey,
    written_at: datetime,
    now: datetime,
) -> Placed | Issued:
    """
    Order what was asked for, or send the code with which it is ordered.

    Args:
        session: The letter's transaction.
        sender: Who pays.
        recipient: Whom.
        amount: In shillings.
        kind: A transfer or a payment.
        bounds: What goes by SMS.
        key: What makes a repeat harmless.
        otp_key: What codes are derived under.
        written_at: When they wrote, as far as is known.
        now: When it is understood.

    Raises:
        SmsTooLate: They wrote more than half an hour ago.
        SameAccount: It is their own.
        PinLocked: Somebody has guessed at their PIN.
        SmsLimitReached: More than goes by SMS in a day.
        TooManyOtps: So many codes were sent.
        DomainError: As `transfers.quote`.
    """
    if now - written_at > _AGE_MAX:
        raise SmsTooLate
    if recipient.id == sender.id:
        raise SameAccount
    pins.refuse_locked(session, subscriber=sender.id, now=now)
    quoted = transfers.quote(session, sender=sender, amount=amount, now=now, kind=kind)
    spent, unconfirmed = _spent(session, sender, quoted, bounds, now=now)
    if unconfirmed + quoted.amount.minor <= bounds.unconfirmed.minor:
        _spend(session, sender, spent, unconfirmed + quoted.amount.minor, now=now)
        return transfers.order(
            session, sender=sender, recipient=recipient.id, quoted=quoted, key=key, now=now
        )
    return _ask_back(session, sender, recipient, quoted, otp_key, now=now)


def confirm(
    session: Session,
    *,
    sender: Person,
    veiled: bytes,
    bounds: Bounds,
    key: str,
    otp_key: OtpKey,
    actor: Actor,
    now: datetime,
) -> Placed:
    """
    Order what a code stands for. A wrong code's try must be kept although it raises.

    Raises:
        NoOtp, OtpWrong, OtpSpent, OtpExpired, OtpUsed: As `otp.check`.
        PinLocked: Somebody has guessed at their PIN.
        SmsLimitReached: More than goes by SMS in a day, with what was ordered meanwhile.
    """
    issued = otp.check_veiled(
        session,
        msisdn=sender.msisdn,
        purpose=Purpose.SMS_ORDER,
        veiled=veiled,
        key=otp_key,
        actor=actor,
        now=now,
    )
    quote = session.execute(select(SmsQuote).where(SmsQuote.otp_id == issued)).scalar_one()
    if quote.subscriber_id != sender.id:  # the number has changed hands
        raise NoOtp
    pins.refuse_locked(session, subscriber=sender.id, now=now)
    amount, fee = Money(quote.amount, Currency.KES), Money(quote.fee, Currency.KES)
    quoted = Quote(amount, fee, Kind(quote.kind))
    spent, unconfirmed = _spent(session, sender, quoted, bounds, now=now)
    _spend(session, sender, spent, unconfirmed, now=now)
    return transfers.order(
        session, sender=sender, recipient=quote.recipient_id, quoted=quoted, key=key, now=now
    )


def _ask_back(
    session: Session,
    sender: Person,
    recipient: Person,
    quoted: Quote,
    otp_key: OtpKey,
    *,
    now: datetime,
) -> Issued:
    """Send a code, with what it will stand for."""
    order = {
        "kind": quoted.kind.value,
        "amount": quoted.amount.minor,
        "fee": quoted.fee.minor,
    }
    issued = otp.issue(
        session,
        msisdn=sender.msisdn,
        purpose=Purpose.SMS_ORDER,
        language=sender.language,
        key=otp_key,
        address=None,
        now=now,
        facts=order | {"name": recipient.name, "msisdn": recipient.msisdn},
    )
    session.execute(
        insert(SmsQuote).values(
            otp_id=issued.id, subscriber_id=sender.id, recipient_id=recipient.id, **order
        )
    )
    return issued


def _spent(
    session: Session, sender: Person, quoted: Quote, bounds: Bounds, *, now: datetime
) -> tuple[int, int]:
    """What they will have ordered today with this, and what without a code; locked from here on."""
    day = {"subscriber": sender.id, "day": _day(now)}
    session.execute(
        text(
            "INSERT INTO sms_spending (subscriber_id, day) VALUES (:subscriber, :day)"
            " ON CONFLICT (subscriber_id, day) DO NOTHING"
        ),
        day,
    )
    amount, unconfirmed = session.execute(
        text(
            "SELECT amount, unconfirmed FROM sms_spending"
            " WHERE subscriber_id = :subscriber AND day = :day FOR UPDATE"
        ),
        day,
    ).one()
    spent = amount + quoted.amount.minor
    if spent > bounds.day.minor:
        raise SmsLimitReached(limit=bounds.day)
    return spent, unconfirmed


def _spend(
    session: Session, sender: Person, amount: int, unconfirmed: int, *, now: datetime
) -> None:
    session.execute(
        update(SmsSpending)
        .where(SmsSpending.subscriber_id == sender.id, SmsSpending.day == _day(now))
        .values(amount=amount, unconfirmed=unconfirmed)
    )


def _day(now: datetime) -> date:
    return now.astimezone(NAIROBI).date()
