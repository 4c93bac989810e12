"""
Logging in and signing up by a program: a code shows the phone, the PIN who holds it.

Whoever only names a number learns nothing by it: a code is sent to every number, of a purpose that
fits, and until the code was right all answers are the same whether there is an account or not.

Five wrong tries lock. Wrong codes lock this door for the number, and no more: anybody can type
those, and must not keep people from their money. Wrong PINs and second factors of somebody who has
shown the phone lock the PIN too, by phone and here (docs/decisions/0038).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from core import audit, otp, outbox, pins, registration, subscribers
from core.access import devices, refreshes, tickets, totp, tries
from core.access.refreshes import Opened
from core.access.tickets import Shown, TicketOver
from core.access.totp import SecondFactorWrong
from core.access.tries import LogInLocked
from core.at_rest import Chest
from core.audit import Action, Actor
from core.otp import OtpSpent, OtpWrong, Purpose
from core.otp_codes import OtpKey
from core.outbox import Event, Fact
from core.pins import Hasher, PinLocked, WrongPin
from core.subscribers import Language, Person

# What `check_second_factor` may refuse, besides what is no code at all.
SECONDS: Final = (totp.SecondFactorNeeded, SecondFactorWrong, LogInLocked)


@dataclass(frozen=True, slots=True)
class Factors:
    """What somebody shows besides the phone. It shows in no error and no log."""

    pin: str = field(repr=False)
    totp: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Entered:
    """A code that was right: with the ticket somebody logs in, or signs up if they are new."""

    ticket: str = field(repr=False)
    is_registered: bool


def send_code(
    session: Session,
    *,
    msisdn: str,
    language: Language,
    key: OtpKey,
    address: str | None,
    now: datetime,
) -> None:
    """
    Send a number the code to log in, or to sign up where it has no account. Which is not told.

    Raises:
        LogInLocked: Five wrong codes were typed for it.
        TooManyOtps: So many were sent.
    """
    tries.require_unlocked(session, subject=tries.of_number(msisdn), now=now)
    person = subscribers.find(session, msisdn=msisdn)
    otp.issue(
        session,
        msisdn=msisdn,
        purpose=_purpose(person),
        language=language if person is None else person.language,
        key=key,
        address=address,
        now=now,
    )


def enter_code(
    session: Session, *, msisdn: str, typed: str, key: OtpKey, actor: Actor, now: datetime
) -> Entered:
    """
    Take a code for a ticket.

    A wrong try must be kept although it raises: call this outside of anything that is undone.

    Raises:
        LogInLocked: Five wrong codes, now or within fifteen minutes.
        InvalidOtp, NoOtp, OtpWrong, OtpSpent, OtpExpired, OtpUsed: As `otp.check`.
    """
    subject = tries.of_number(msisdn)
    tries.require_unlocked(session, subject=subject, now=now)
    person = subscribers.find(session, msisdn=msisdn)
    try:
        otp.check(
            session,
            msisdn=msisdn,
            purpose=_purpose(person),
            typed=typed,
            key=key,
            actor=actor,
            now=now,
        )
    except (OtpWrong, OtpSpent):
        if (until := tries.count(session, subject=subject, now=now)) is None:
            raise
        detail = {"until": until.isoformat()}
        _audit(session, actor, Action.LOG_IN_LOCKED, subject, now=now, detail=detail)
        raise LogInLocked(until=until) from None
    tries.forget(session, subject=subject)
    ticket = tickets.give(session, msisdn=msisdn, shown=Shown.CODE, now=now)
    return Entered(ticket, is_registered=person is not None)


def sign_up(
    session: Session,
    *,
    ticket: str,
    name: str,
    language: Language,
    pin: str,
    device: str,
    hasher: Hasher,
    actor: Actor,
    now: datetime,
) -> Opened:
    """
    Open an account for a number whose owner has accepted the terms, and log them in.

    Raises:
        TicketOver: It shows nothing (any more).
        AlreadyRegistered, ClosedLately: As `registration.register`.
    """
    seen = tickets.look(session, ticket=ticket, now=now)
    if seen.shown is not Shown.CODE:
        raise TicketOver
    registration.register(
        session,
        msisdn=seen.msisdn,
        name=name,
        language=language,
        pin=pin,
        hasher=hasher,
        actor=_as(actor, seen.msisdn),
        now=now,
    )
    tickets.use(session, seen=seen, now=now)
    person = subscribers.recipient(session, msisdn=seen.msisdn)
    return _begin(session, person, device, second_factor=False, actor=actor, now=now)


def log_in(
    session: Session,
    *,
    ticket: str,
    factors: Factors,
    device: str,
    hasher: Hasher,
    chest: Chest,
    actor: Actor,
    now: datetime,
) -> Opened:
    """
    Log somebody in who has shown the phone, by their PIN and, where they have one, second factor.

    A wrong try must be kept although it raises: call this outside of anything that is undone.

    Raises:
        TicketOver: It shows nothing (any more), or there is no account.
        InvalidPin, WrongPin, PinLocked, AccountClosed: As `pins.check`.
        InvalidOtp, SecondFactorNeeded, SecondFactorWrong: As `totp.check`.
        LogInLocked: Five wrong tries, now or within fifteen minutes.
    """
    seen = tickets.look(session, ticket=ticket, now=now)
    person = subscribers.find(session, msisdn=seen.msisdn)
    if person is None:
        raise TicketOver
    by = _as(actor, person.msisdn)
    check_pin(session, person=person, typed=factors.pin, hasher=hasher, actor=by, now=now)
    has_second = check_second_factor(
        session, person=person, typed=factors.totp, chest=chest, actor=by, now=now
    )
    tries.forget(session, subject=tries.of_subscriber(person.id))
    tickets.use(session, seen=seen, now=now)
    return _begin(session, person, device, second_factor=has_second, actor=by, now=now)


def check_pin(
    session: Session, *, person: Person, typed: str, hasher: Hasher, actor: Actor, now: datetime
) -> None:
    """
    Check the PIN of somebody by a program; wrong tries count as by phone, and to the five here.

    A wrong try must be kept although it raises: call this outside of anything that is undone.

    Raises:
        LogInLocked: Five wrong tries, now or within fifteen minutes.
        InvalidPin, WrongPin, PinLocked, AccountClosed: As `pins.check`.
    """
    tries.require_unlocked(session, subject=tries.of_subscriber(person.id), now=now)
    try:
        pins.check(session, person=person, typed=typed, hasher=hasher, actor=actor, now=now)
    except WrongPin:
        _count(session, person, actor=actor, now=now)
        raise
    except PinLocked as locked:
        if locked.until == now + pins.LOCK:  # by this try
            _count(session, person, actor=actor, now=now)
        raise


def check_second_factor(
    session: Session,
    *,
    person: Person,
    typed: str | None,
    chest: Chest,
    actor: Actor,
    now: datetime,
) -> bool:
    """
    Check the second factor of somebody who may have one; say whether they have.

    A wrong try must be kept although it raises: call this outside of anything that is undone.

    Raises:
        LogInLocked: Five wrong tries, now or within fifteen minutes.
        InvalidOtp, SecondFactorNeeded, SecondFactorWrong: As `totp.check`.
    """
    tries.require_unlocked(session, subject=tries.of_subscriber(person.id), now=now)
    try:
        return totp.check(session, subscriber=person.id, typed=typed, chest=chest, now=now)
    except SecondFactorWrong:
        _count(session, person, actor=actor, now=now)
        raise


def change_pin(
    session: Session,
    *,
    person: Person,
    pin: str,
    device: int,
    hasher: Hasher,
    actor: Actor,
    now: datetime,
) -> Opened:
    """Set the PIN of somebody who has shown the old one; they are logged in here alone, anew."""
    here = devices.get(session, device=device)
    pins.keep(session, subscriber=person.id, pin=pin, hasher=hasher, actor=actor, now=now)
    facts = {"at": now.isoformat()}
    fact = Fact(Event.PIN_CHANGED, person.msisdn, person.language.value, facts)
    outbox.stage(session, facts=[fact], now=now)
    has_second = here.second_factor
    return _begin(session, person, here.name, second_factor=has_second, actor=actor, now=now)


def _purpose(person: Person | None) -> Purpose:
    return Purpose.SIGN_UP if person is None else Purpose.LOG_IN


def _begin(
    session: Session,
    person: Person,
    device: str,
    *,
    second_factor: bool,
    actor: Actor,
    now: datetime,
) -> Opened:
    begun = devices.begin(
        session,
        person=person,
        name=device,
        second_factor=second_factor,
        actor=_as(actor, person.msisdn),
        now=now,
    )
    return refreshes.begin(session, device=begun, now=now)


def _as(actor: Actor, msisdn: str) -> Actor:
    """The same act, done by who has shown to be a number's owner."""
    return Actor(msisdn, actor.origin, actor.request)


def _count(session: Session, person: Person, *, actor: Actor, now: datetime) -> None:
    """
    Count a wrong try of somebody who has the phone.

    Raises:
        LogInLocked: It was the fifth; now the PIN is locked too.
    """
    subject = tries.of_subscriber(person.id)
    until = tries.count(session, subject=subject, now=now)
    if until is None:
        return
    pins.lock(session, subscriber=person.id, until=until)
    facts = {"until": until.isoformat()}
    _audit(session, actor, Action.LOG_IN_LOCKED, subject, now=now, detail=facts)
    fact = Fact(Event.LOG_IN_LOCKED, person.msisdn, person.language.value, facts)
    outbox.stage(session, facts=[fact], now=now)
    raise LogInLocked(until=until)


def _audit(
    session: Session,
    actor: Actor,
    action: Action,
    subject: str,
    *,
    now: datetime,
    detail: Mapping[str, object],
) -> None:
    audit.record(session, actor=actor, action=action, subject=subject, now=now, detail=detail)
