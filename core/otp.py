"""
One-time passwords: six digits sent to a number, which whoever reads its messages can say again.

A code is kept nowhere. It is derived, when its message is worded and when it is checked, from what
its row holds and a key that is not in the database. Six digits are a million guesses: each code
has five tries and five minutes, and how many codes there are is bounded for a number, for where
they are asked from and for all. Whoever guesses at many numbers meets the last bound: past a
hundred wrong tries in an hour every code has one try, and then a minute's most of codes is worth
as many guesses.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

import structlog
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, db, networks, otp_codes, outbox
from core.audit import Action, Actor
from core.db import Base
from core.errors import Denied, NotFound, Refused
from core.otp_codes import Code, OtpKey
from core.outbox import Event, Fact
from core.subscribers import Language

log = structlog.get_logger(__name__)

LIVES: Final = timedelta(minutes=5)
TRIES_MAX: Final = 5

_Bounds: TypeAlias = tuple[tuple[int, timedelta], ...]

# How many codes are given, and in how long.
_OF_A_NUMBER: Final = ((3, timedelta(minutes=15)), (10, timedelta(days=1)))
# A mobile network's customers share few addresses.
_OF_AN_ADDRESS: Final = ((20, timedelta(minutes=15)), (100, timedelta(days=1)))
# A home has thousands of addresses of IPv6, but needs few codes: it fills no bound of everybody's.
_OF_A_HOME: Final = ((5, timedelta(minutes=15)), (20, timedelta(days=1)))
_OF_ALL: Final = ((60, timedelta(minutes=1)),)

# So many wrong tries for a purpose are no slips: from there on a code has one try.
_WRONG_MAX: Final = 100
_WRONG_WITHIN: Final = timedelta(hours=1)


class Purpose(StrEnum):
    """What a code is good for. A code for one is nothing to another."""

    PIN_RESET = "pin-reset"
    """A new PIN for who forgot theirs."""
    SMS_ORDER = "sms-order"
    """Money that was asked for by SMS, where any sender can be forged."""
    SIGN_UP = "sign-up"
    """A new account, opened elsewhere than on the phone."""
    LOG_IN = "log-in"
    """A program that acts for the number's owner."""


# Which of the two a number is sent tells whether it has an account: no bound may tell them apart.
_DOOR: Final = (Purpose.SIGN_UP, Purpose.LOG_IN)

_EVENTS: Final = {
    Purpose.PIN_RESET: Event.OTP_PIN_RESET,
    Purpose.SMS_ORDER: Event.OTP_SMS_ORDER,
    Purpose.SIGN_UP: Event.OTP_SIGN_UP,
    Purpose.LOG_IN: Event.OTP_LOG_IN,
}


@dataclass(eq=False)
class NoOtp(NotFound):
    """No code was sent to that number for this."""


@dataclass(eq=False)
class OtpWrong(Denied):
    """The code is wrong."""

    tries_left: int


@dataclass(eq=False)
class OtpSpent(Denied):
    """The code was tried wrong too often; another must be asked for."""


@dataclass(eq=False)
class OtpExpired(Refused):
    """The code's five minutes are over."""


@dataclass(eq=False)
class OtpUsed(Refused):
    """The code was used already."""


@dataclass(eq=False)
class TooManyOtps(Denied):
    """Too many codes were asked for."""

    until: datetime


class Otp(Base):
    """
    One code that was sent. Of a number's codes for a purpose only the newest is good.

    `address_hash` is a keyed hash of where it was asked from: an address of IPv4, or a home's
    network of IPv6.
    """

    __tablename__ = "otps"
    __table_args__ = (
        Index("ix_otps_number", "msisdn", "purpose", "issued_at"),
        Index("ix_otps_purpose", "purpose", "issued_at"),
        Index(
            "ix_otps_address",
            "address_hash",
            "issued_at",
            postgresql_where=text("address_hash IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    msisdn: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    address_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    wrong_tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Issued:
    """A code that is on its way."""

    id: int
    expires_at: datetime


def issue(
    session: Session,
    *,
    msisdn: str,
    purpose: Purpose,
    language: Language,
    key: OtpKey,
    address: str | None,
    now: datetime,
    facts: Mapping[str, object] | None = None,
) -> Issued:
    """
    Send a code to a number; it ends the one before it. Nothing else ever sends one again.

    Args:
        session: The caller's transaction; the code is sent once it commits.
        msisdn: Whose number it is, in E.164.
        purpose: What it will be good for.
        language: In which language it is sent.
        key: What it is derived under.
        address: The IP address it was asked from; None by phone.
        now: When it is asked.
        facts: What else its words mention.

    Raises:
        TooManyOtps: So many were sent to this number, to this address or to all, and until when.
    """
    _alone(session, msisdn=msisdn, purpose=purpose)
    address_hash = None if address is None else key.address(networks.home(address))
    bounds = _OF_A_HOME if address and networks.is_homes_own(address) else _OF_AN_ADDRESS
    origin = None if address_hash is None else (address_hash, bounds)
    _bound(session, msisdn=msisdn, purpose=purpose, origin=origin, now=now)
    expires_at = now + LIVES
    otp = session.scalars(
        insert(Otp)
        .values(
            msisdn=msisdn,
            purpose=purpose.value,
            salt=secrets.token_bytes(16),
            address_hash=address_hash,
            issued_at=now,
            expires_at=expires_at,
        )
        .returning(Otp.id)
    ).one()
    said = {**(facts or {}), "otp": otp}
    fact = Fact(_EVENTS[purpose], msisdn, language.value, said)
    outbox.stage(session, facts=[fact], now=now)
    return Issued(otp, expires_at)


def check(
    session: Session,
    *,
    msisdn: str,
    purpose: Purpose,
    typed: str,
    key: OtpKey,
    actor: Actor,
    now: datetime,
) -> int:
    """
    Use up the newest code of a number; return its id. Nobody tries in parallel.

    A wrong try must be kept although it raises: call this outside of anything that is undone.

    Raises:
        InvalidOtp: Not six digits; no try is counted.
        NoOtp: None was sent for this purpose.
        OtpWrong: Another try is left.
        OtpSpent: None is left.
        OtpExpired, OtpUsed: It is no more.
    """
    veiled = key.veil(msisdn=msisdn, digits=otp_codes.parse(typed))
    return check_veiled(
        session, msisdn=msisdn, purpose=purpose, veiled=veiled, key=key, actor=actor, now=now
    )


def check_veiled(
    session: Session,
    *,
    msisdn: str,
    purpose: Purpose,
    veiled: bytes,
    key: OtpKey,
    actor: Actor,
    now: datetime,
) -> int:
    """
    Check a code by its hash, where the code itself was never let in.

    Raises:
        NoOtp, OtpWrong, OtpSpent, OtpExpired, OtpUsed: As `check`.
    """
    _alone(session, msisdn=msisdn, purpose=purpose)
    row = session.execute(
        select(Otp.id, Otp.salt, Otp.wrong_tries, Otp.used_at, Otp.expires_at)
        .where(Otp.msisdn == msisdn, Otp.purpose == purpose.value)
        .order_by(Otp.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        raise NoOtp
    if row.used_at is not None:
        raise OtpUsed
    if row.expires_at <= now:
        raise OtpExpired
    tries_max = _tries_max(session, purpose=purpose, now=now)
    if row.wrong_tries >= tries_max:
        raise OtpSpent
    code = key.derive(otp=row.id, purpose=purpose.value, msisdn=msisdn, salt=row.salt)
    if hmac.compare_digest(veiled, key.veil(msisdn=msisdn, digits=code.digits)):
        session.execute(update(Otp).where(Otp.id == row.id).values(used_at=now))
        return int(row.id)
    wrong_tries = row.wrong_tries + 1
    session.execute(update(Otp).where(Otp.id == row.id).values(wrong_tries=wrong_tries))
    if wrong_tries < tries_max:
        raise OtpWrong(tries_left=tries_max - wrong_tries)
    audit.record(
        session,
        actor=actor,
        action=Action.OTP_TRIES_USED,
        subject=f"otp:{row.id}",
        detail={"purpose": purpose.value, "tries": wrong_tries},
        now=now,
    )
    raise OtpSpent


def code_of(session: Session, *, otp: int, key: OtpKey, now: datetime) -> Code | None:
    """The code of a message about to be sent; None when it is no longer good."""
    row = session.execute(
        select(
            Otp.msisdn, Otp.purpose, Otp.salt, Otp.wrong_tries, Otp.used_at, Otp.expires_at
        ).where(Otp.id == otp)
    ).one()
    newest = session.scalar(
        select(func.max(Otp.id)).where(Otp.msisdn == row.msisdn, Otp.purpose == row.purpose)
    )
    is_over = row.used_at is not None or row.wrong_tries >= TRIES_MAX or row.expires_at <= now
    if is_over or newest != otp:
        return None
    return key.derive(otp=otp, purpose=row.purpose, msisdn=row.msisdn, salt=row.salt)


def _alone(session: Session, *, msisdn: str, purpose: Purpose) -> None:
    """One at a time for a number and what it is for, until this commits: also without a row."""
    db.alone(session, f"otp:{_counted_with(purpose)[0]}:{msisdn}")


def _counted_with(purpose: Purpose) -> tuple[Purpose, ...]:
    """The purposes whose codes are counted together with one's."""
    return _DOOR if purpose in _DOOR else (purpose,)


def _alike(purpose: Purpose) -> ColumnElement[bool]:
    return Otp.purpose.in_([each.value for each in _counted_with(purpose)])


def _bound(
    session: Session,
    *,
    msisdn: str,
    purpose: Purpose,
    origin: tuple[bytes, _Bounds] | None,
    now: datetime,
) -> None:
    """
    Refuse a code too many.

    A number's codes are counted by purpose: whoever has codes sent to somebody by one door must
    not keep them from another; to sign up and to log in are one door. All are counted without a
    lock: as many more as are at work at once do no harm, and waiting for one another would.
    """
    of_purpose = _alike(purpose)
    until = _full(session, _OF_A_NUMBER, now, Otp.msisdn == msisdn, of_purpose)
    if origin is not None:
        hashed, bounds = origin
        db.alone(session, f"otp:address:{hashed.hex()}")
        until = until or _full(session, bounds, now, Otp.address_hash == hashed)
    if until is None and (until := _full(session, _OF_ALL, now, of_purpose)) is not None:
        log.error("otp.too_many_in_all", purpose=purpose.value)
    if until is not None:
        raise TooManyOtps(until=until)


def _full(
    session: Session,
    bounds: _Bounds,
    now: datetime,
    *which: ColumnElement[bool],
) -> datetime | None:
    """Until when one of the bounds is reached by such codes, if one is."""
    untils = []
    for count_max, within in bounds:
        first = session.scalar(
            select(Otp.issued_at)
            .where(*which, Otp.issued_at > now - within)
            .order_by(Otp.issued_at.desc())
            .offset(count_max - 1)
            .limit(1)
        )
        if first is not None:
            untils.append(first + within)
    return max(untils, default=None)


def _tries_max(session: Session, *, purpose: Purpose, now: datetime) -> int:
    """How many tries a code has: one while somebody guesses at many numbers."""
    wrong = session.scalar(
        select(func.sum(Otp.wrong_tries)).where(
            _alike(purpose), Otp.issued_at > now - _WRONG_WITHIN
        )
    )
    if (wrong or 0) < _WRONG_MAX:
        return TRIES_MAX
    log.error("otp.guessed_at", purpose=purpose.value)
    return 1
