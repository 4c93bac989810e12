"""
The second factor: six digits that a program on another device makes of the time (RFC 6238).

The secret is shown once and kept locked (`core.at_rest`). A code is good for the half minute it was
made in and the one before and after; each half minute's code is good once.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import pyotp
from sqlalchemy import BigInteger, DateTime, ForeignKey, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, outbox
from core.at_rest import Chest
from core.audit import Action, Actor
from core.db import Base
from core.errors import Denied, NotFound, Refused
from core.otp_codes import parse
from core.outbox import Event, Fact
from core.subscribers import Person, Subscriber

_STEP_SECONDS: Final = 30
_ISSUER: Final = "Kabambe"


@dataclass(eq=False)
class SecondFactorNeeded(Denied):
    """The six digits of the second factor are wanted, too."""


@dataclass(eq=False)
class SecondFactorWrong(Denied):
    """The six digits are not the second factor's, or were used already."""


@dataclass(eq=False)
class SecondFactorSet(Refused):
    """There is a second factor already; it has to be removed first."""


@dataclass(eq=False)
class NoSecondFactor(NotFound):
    """There is no second factor, or none that is waiting for its first code."""


class Totp(Base):
    """
    Somebody's second factor: its secret is locked. It counts from `confirmed_at` on.

    `last_step` is the half minute of the newest code that was used: none up to it is good again.
    """

    __tablename__ = "totps"

    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id), primary_key=True)
    secret: Mapped[str] = mapped_column(Text)
    proposed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    confirmed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_step: Mapped[int] = mapped_column(BigInteger, server_default="0")


@dataclass(frozen=True, slots=True)
class Proposed:
    """A secret to be taken into an authenticator, and the same as an address for a QR code."""

    secret: str = field(repr=False)
    address: str = field(repr=False)


def is_set(session: Session, *, subscriber: int) -> bool:
    """Whether somebody has a second factor."""
    found = select(Totp.subscriber_id).where(
        Totp.subscriber_id == subscriber, Totp.confirmed_at.is_not(None)
    )
    return session.scalar(found) is not None


def propose(session: Session, *, person: Person, chest: Chest, now: datetime) -> Proposed:
    """
    Make a secret, shown this once; it counts once a code of it is typed.

    Raises:
        SecondFactorSet: There is one that counts.
    """
    secret = new_secret()
    made = session.execute(
        text(
            "INSERT INTO totps AS t (subscriber_id, secret, proposed_at)"
            " VALUES (:subscriber, :secret, :now)"
            " ON CONFLICT (subscriber_id) DO UPDATE SET secret = excluded.secret,"
            " proposed_at = excluded.proposed_at, last_step = 0 WHERE t.confirmed_at IS NULL"
            " RETURNING subscriber_id"
        ),
        {
            "subscriber": person.id,
            "secret": chest.lock(secret, purpose=_purpose(person.id)),
            "now": now,
        },
    ).one_or_none()
    if made is None:
        raise SecondFactorSet
    return Proposed(secret, address(secret, name=person.msisdn))


def confirm(
    session: Session, *, person: Person, typed: str, chest: Chest, actor: Actor, now: datetime
) -> None:
    """
    Let a second factor count from now on: its first code shows that it was taken in.

    Raises:
        InvalidOtp: Not six digits.
        NoSecondFactor: None was proposed, or it counts already.
        SecondFactorWrong: That is not its code.
    """
    row = _locked(session, person.id)
    if row is None or row.confirmed_at is not None:
        raise NoSecondFactor
    _use(session, row, parse(typed), chest=chest, now=now)
    session.execute(
        text("UPDATE totps SET confirmed_at = :now WHERE subscriber_id = :subscriber"),
        {"now": now, "subscriber": person.id},
    )
    _tell(session, person, Event.SECOND_FACTOR_SET, actor=actor, now=now)


def check(
    session: Session, *, subscriber: int, typed: str | None, chest: Chest, now: datetime
) -> bool:
    """
    Check a code, if somebody has a second factor; say whether they have one. Nobody tries in
    parallel. Wrong tries are for the caller to count, outside of anything that is undone.

    Raises:
        InvalidOtp: Not six digits.
        SecondFactorNeeded: Nothing was typed.
        SecondFactorWrong: That is not its code, or was used.
    """
    row = _locked(session, subscriber)
    if row is None or row.confirmed_at is None:
        return False
    if typed is None:
        raise SecondFactorNeeded
    _use(session, row, parse(typed), chest=chest, now=now)
    return True


def remove(session: Session, *, person: Person, actor: Actor, now: datetime) -> None:
    """
    Do without a second factor from now on. Its owner has shown it, or staff know them otherwise.

    Raises:
        NoSecondFactor: There is none.
    """
    gone = text(
        "DELETE FROM totps WHERE subscriber_id = :subscriber AND confirmed_at IS NOT NULL"
        " RETURNING subscriber_id"
    )
    if session.scalar(gone, {"subscriber": person.id}) is None:
        raise NoSecondFactor
    _tell(session, person, Event.SECOND_FACTOR_REMOVED, actor=actor, now=now)


def step_of(secret: str, digits: str, *, after: int, now: datetime) -> int | None:
    """The half minute that digits were made in, if they are good now and later than `after`."""
    made = pyotp.TOTP(secret)
    step = int(now.timestamp()) // _STEP_SECONDS
    # All three are compared, whichever it is.
    right = [
        each
        for each in (step - 1, step, step + 1)
        if hmac.compare_digest(made.generate_otp(each), digits)
    ]
    return right[-1] if right and right[-1] > after else None


def new_secret() -> str:
    """A secret that nobody has."""
    return pyotp.random_base32()


def address(secret: str, *, name: str) -> str:
    """A secret as an authenticator takes it in from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=_ISSUER)


def _purpose(subscriber: int) -> str:
    return f"totp:{subscriber}"


def _locked(session: Session, subscriber: int) -> Totp | None:
    return session.scalar(
        select(Totp)
        .where(Totp.subscriber_id == subscriber)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _use(session: Session, row: Totp, digits: str, *, chest: Chest, now: datetime) -> None:
    secret = chest.open(row.secret, purpose=_purpose(row.subscriber_id))
    step = step_of(secret, digits, after=row.last_step, now=now)
    if step is None:
        raise SecondFactorWrong
    session.execute(
        text("UPDATE totps SET last_step = :step WHERE subscriber_id = :subscriber"),
        {"step": step, "subscriber": row.subscriber_id},
    )


def _tell(session: Session, person: Person, event: Event, *, actor: Actor, now: datetime) -> None:
    subject, action = f"subscriber:{person.id}", Action(event.value)
    audit.record(session, actor=actor, action=action, subject=subject, now=now)
    fact = Fact(event, person.msisdn, person.language.value, {"at": now.isoformat()})
    outbox.stage(session, facts=[fact], now=now)
