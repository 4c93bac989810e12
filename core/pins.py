"""
PINs: hashed with argon2id under a pepper, three tries, a lock of fifteen minutes.

Four digits are ten thousand guesses, so the hash alone protects nobody: the pepper, which is not
in the database, protects a stolen copy of it, and the lock protects everyone else.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from argon2.profiles import CHEAPEST
from sqlalchemy import DateTime, ForeignKey, Integer, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, outbox
from core.access import devices
from core.access.devices import Because
from core.audit import Action, Actor
from core.db import Base
from core.errors import Denied, Invalid
from core.outbox import Event, Fact
from core.subscribers import AccountClosed, Person, Subscriber

TRIES_MAX: Final = 3
LOCK: Final = timedelta(minutes=15)

_ASCENDING: Final = "01234567890"
_COLUMN: Final = ("2580", "0852")
_BIRTH_YEAR: Final = re.compile(r"19[0-9]{2}|20[0-2][0-9]")


@dataclass(eq=False)
class InvalidPin(Invalid):
    """A PIN is four digits."""


@dataclass(eq=False)
class WeakPin(Invalid):
    """The PIN is one that many people choose."""


@dataclass(eq=False)
class PinsDiffer(Invalid):
    """The PIN was not the same the second time."""


@dataclass(eq=False)
class WrongPin(Denied):
    """The PIN is wrong."""

    tries_left: int


@dataclass(eq=False)
class PinLocked(Denied):
    """The PIN is locked after too many wrong tries."""

    until: datetime


class Pin(Base):
    """A subscriber's PIN hash and the tries made against it."""

    __tablename__ = "pins"

    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id), primary_key=True)
    hash: Mapped[str] = mapped_column(Text)
    wrong_tries: Mapped[int] = mapped_column(Integer, server_default="0")
    locked_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Hasher:
    """Argon2id over a PIN and a pepper."""

    def __init__(self, pepper: str, *, cheap: bool = False) -> None:
        """
        Take the pepper.

        Args:
            pepper: The server's secret; a database without it is of no use to a thief.
            cheap: Hash quickly and weakly. Only for tests!
        """
        # OWASP's Password Storage Cheat Sheet: m=9 MiB, t=4, p=1 is as strong as m=46 MiB, t=1,
        # and eight confirming customers at once then take 72 MiB, not 368.
        self._argon2 = (
            PasswordHasher.from_parameters(CHEAPEST)
            if cheap
            else PasswordHasher(time_cost=4, memory_cost=9216, parallelism=1)
        )
        self._pepper = pepper.encode()

    def hash(self, pin: str) -> str:
        """Hash a PIN for keeping."""
        return self._argon2.hash(self._peppered(pin))

    def matches(self, kept: str, pin: str) -> bool:
        """Whether this PIN is the one that was hashed; compared in constant time."""
        try:
            return self._argon2.verify(kept, self._peppered(pin))
        except VerificationError:
            return False

    def _peppered(self, pin: str) -> bytes:
        return hmac.new(self._pepper, pin.encode(), hashlib.sha256).digest()


def parse(typed: str) -> str:
    """
    Take four digits, ASCII ones, with nothing but blanks around them.

    Raises:
        InvalidPin: Anything else.
    """
    pin = typed.strip(" \r\n")
    if not re.fullmatch(r"[0-9]{4}", pin):
        raise InvalidPin
    return pin


def choose(typed: str) -> str:
    """
    Take a new PIN, unless it is one a thief would try first.

    Raises:
        InvalidPin: Not four digits.
        WeakPin: Repeated (0000, 1212, 1122), mirrored (1221), sequential (1234, 9876), a column of
            the keypad (2580), or like a birth year (1990).
    """
    pin = parse(typed)
    repeated = pin[:2] == pin[2:] or (pin[0] == pin[1] and pin[2] == pin[3])
    mirrored = pin[:2] == pin[:1:-1]
    sequential = pin in _ASCENDING or pin in _ASCENDING[::-1]
    if repeated or mirrored or sequential or pin in _COLUMN or _BIRTH_YEAR.fullmatch(pin):
        raise WeakPin
    return pin


def keep(
    session: Session, *, subscriber: int, pin: str, hasher: Hasher, actor: Actor, now: datetime
) -> None:
    """Set a subscriber's PIN, forget wrong tries against the old one, and log them out."""
    session.execute(
        text(
            "INSERT INTO pins (subscriber_id, hash, changed_at) VALUES (:subscriber, :hash, :now)"
            " ON CONFLICT (subscriber_id) DO UPDATE SET hash = excluded.hash, wrong_tries = 0,"
            " locked_until = NULL, changed_at = excluded.changed_at"
        ),
        {"subscriber": subscriber, "hash": hasher.hash(pin), "now": now},
    )
    subject = f"subscriber:{subscriber}"
    audit.record(session, actor=actor, action=Action.PIN_SET, subject=subject, now=now)
    devices.remove_all(
        session, subscriber=subscriber, because=Because.PIN_CHANGED, actor=actor, now=now
    )


def check(
    session: Session, *, person: Person, typed: str, hasher: Hasher, actor: Actor, now: datetime
) -> None:
    """
    Check a PIN. The subscriber's row stays locked, so two sessions cannot guess in parallel.

    A wrong try must be kept although it raises: call this outside of anything that is undone.

    Raises:
        InvalidPin: Not four digits; no try is counted.
        WrongPin: Another try is left.
        PinLocked: Three wrong tries, now or within the last fifteen minutes.
        AccountClosed: It has no PIN any more.
    """
    pin = parse(typed)
    found = session.execute(
        text(
            "SELECT hash, wrong_tries, locked_until FROM pins"
            " WHERE subscriber_id = :subscriber FOR UPDATE"
        ),
        {"subscriber": person.id},
    ).one_or_none()
    if found is None:
        raise AccountClosed
    kept, wrong_tries, locked_until = found
    if locked_until is not None and now < locked_until:
        raise PinLocked(until=locked_until)
    if locked_until is not None:
        wrong_tries = 0
    if hasher.matches(kept, pin):
        if wrong_tries or locked_until is not None:
            _record(session, subscriber=person.id, wrong_tries=0, locked_until=None)
        return
    wrong_tries += 1
    if wrong_tries >= TRIES_MAX:
        _record(session, subscriber=person.id, wrong_tries=wrong_tries, locked_until=now + LOCK)
        facts = {"until": (now + LOCK).isoformat()}
        fact = Fact(Event.PIN_LOCKED, person.msisdn, person.language.value, facts)
        outbox.stage(session, facts=[fact], now=now)
        subject = f"subscriber:{person.id}"
        audit.record(session, actor=actor, action=Action.PIN_LOCKED, subject=subject, now=now)
        raise PinLocked(until=now + LOCK)
    _record(session, subscriber=person.id, wrong_tries=wrong_tries, locked_until=None)
    raise WrongPin(tries_left=TRIES_MAX - wrong_tries)


def refuse_locked(session: Session, *, subscriber: int, now: datetime) -> None:
    """
    Refuse what needs no PIN while the PIN is locked: somebody guesses who has the phone.

    Raises:
        PinLocked: Three wrong tries within the last fifteen minutes.
    """
    locked_until = session.scalar(
        select(Pin.locked_until).where(Pin.subscriber_id == subscriber, Pin.locked_until > now)
    )
    if locked_until is not None:
        raise PinLocked(until=locked_until)


def lock(session: Session, *, subscriber: int, until: datetime) -> None:
    """Lock a PIN for what was guessed elsewhere: neither door is a way round the other."""
    _record(session, subscriber=subscriber, wrong_tries=TRIES_MAX, locked_until=until)


def _record(
    session: Session, *, subscriber: int, wrong_tries: int, locked_until: datetime | None
) -> None:
    session.execute(
        text(
            "UPDATE pins SET wrong_tries = :wrong_tries, locked_until = :locked_until"
            " WHERE subscriber_id = :subscriber"
        ),
        {"wrong_tries": wrong_tries, "locked_until": locked_until, "subscriber": subscriber},
    )
