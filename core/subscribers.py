"""
People with an account: who they are, how we call them, and in which language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Row,
    Text,
    func,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column
from stdnum import luhn

from core import audit, chart
from core.audit import Action, Actor
from core.db import Base
from core.errors import Denied, Invalid, NotFound, Refused
from core.ledger import Account
from core.money import Currency, Money, kes

_CLOSED_FOR = timedelta(days=1)


class Language(StrEnum):
    """
    What a person reads, by its ISO 639 code.

    The code itself knows two by name. Any other becomes a member when it is first met: which ones
    there are words in is for those to know who have the words.
    """

    ENGLISH = "en"
    KISWAHILI = "sw"

    @classmethod
    def _missing_(cls, value: object) -> Language | None:
        """Make a member of a code, as `enum.Flag` does of what it meets."""
        if not isinstance(value, str) or not re.fullmatch(r"[a-z]{2,3}", value):
            return None
        member = str.__new__(cls, value)
        member._name_, member._value_ = value.upper(), value
        found = cls._value2member_map_.setdefault(value, member)
        assert isinstance(found, Language)
        return found

    def __reduce_ex__(self, _protocol: object) -> tuple[type[Language], tuple[str]]:
        """Copy by the code: the first releases of Python 3.11 copy by a name of the class's."""
        return type(self), (self.value,)


@dataclass(eq=False)
class UnknownRecipient(NotFound):
    """The recipient has no account."""


@dataclass(eq=False)
class InvalidWalletNumber(Invalid):
    """That is not a wallet number: a digit is wrong or missing."""


@dataclass(eq=False)
class AlreadyRegistered(Refused):
    """The number has an account."""


@dataclass(eq=False)
class ClosedLately(Refused):
    """The number had an account until a moment ago; limits must not begin anew with another."""

    until: datetime


@dataclass(eq=False)
class AccountClosed(Denied):
    """The account was closed."""


class Kind(StrEnum):
    """What kind of account holder somebody is."""

    PERSONAL = "personal"
    MERCHANT = "merchant"


class Tier(StrEnum):
    """What we know of somebody, which decides how much they may move."""

    PENDING = "pending"
    """A number, and the name they gave themselves."""
    VERIFIED = "verified"
    """Their papers were seen."""
    REJECTED = "rejected"
    """Their papers were not theirs, or no papers."""
    SUSPENDED = "suspended"
    """They may move nothing until somebody has looked."""


class Screening(StrEnum):
    """Whether somebody is on a sanctions list."""

    NEW = "new"
    """Not looked for yet: they may receive and not send."""
    CLEAR = "clear"
    HIT = "hit"
    """Somebody of that name or number is: their money stays where it is until staff clear it."""


class Subscriber(Base):
    """
    A person or a merchant with an account. `account_id` is their main account, in shillings.

    `wallet_number` has 13 digits, the last of which checks the others. `screening` is set by a
    trigger when they register (a look for their number), and by the jobs of `core.screening`.
    `cooling` is the kind of cooling-off between the two instants beside it (`core.cooling`).
    Whoever has `closed_at` is gone: their number may be somebody else's, and they are in the book
    alone.
    """

    __tablename__ = "subscribers"
    __table_args__ = (
        CheckConstraint(
            "num_nulls(cooling, cooling_from, cooling_until) IN (0, 3)", name="cooling"
        ),
        Index("ix_subscribers_unscreened", "id", postgresql_where=text("screened_at IS NULL")),
        Index(
            "uq_subscribers_msisdn",
            "msisdn",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("ix_subscribers_closed", "msisdn", postgresql_where=text("closed_at IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    msisdn: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    account_id: Mapped[int] = mapped_column(ForeignKey(Account.id), unique=True)
    terms_version: Mapped[str] = mapped_column(Text)
    registered_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    kind: Mapped[str] = mapped_column(Text, server_default="personal")
    tier: Mapped[str] = mapped_column(Text, server_default="pending")
    screening: Mapped[str] = mapped_column(Text, server_default="new")
    screened_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    wallet_number: Mapped[str] = mapped_column(
        Text, Computed("wallet_number(id)", persisted=True), unique=True
    )
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    renamed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    cooling: Mapped[str | None] = mapped_column(Text)
    cooling_from: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    cooling_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Person:
    """What a conversation needs to know about somebody: fetched once, and carried along."""

    id: int
    msisdn: str
    name: str
    language: Language
    account_id: int
    balance: Money
    wallet_number: str = ""


_PERSON = select(
    Subscriber.id,
    Subscriber.msisdn,
    Subscriber.name,
    Subscriber.language,
    Subscriber.account_id,
    Account.balance,
    Subscriber.wallet_number,
).join(Account, Account.id == Subscriber.account_id)
_IS_OPEN = Subscriber.closed_at.is_(None)


def find(session: Session, *, msisdn: str) -> Person | None:
    """The person behind a number (E.164), if it is registered."""
    row = session.execute(_PERSON.where(Subscriber.msisdn == msisdn, _IS_OPEN)).one_or_none()
    return None if row is None else _person(row)


def by_wallet_number(session: Session, *, number: str, closed_too: bool = False) -> Person:
    """
    The person behind a wallet number, with or without blanks in it.

    Args:
        session: The caller's.
        number: 13 digits.
        closed_too: Whether somebody who has left is meant as well: for looking, never for paying.

    Raises:
        InvalidWalletNumber: A digit is wrong or missing.
        UnknownRecipient: Nobody has that number.
    """
    digits = "".join(number.split())
    if not re.fullmatch(r"[0-9]{13}", digits) or not luhn.is_valid(digits):
        raise InvalidWalletNumber
    found = _PERSON.where(Subscriber.wallet_number == digits)
    row = session.execute(found if closed_too else found.where(_IS_OPEN)).one_or_none()
    if row is None:
        raise UnknownRecipient
    return _person(row)


def by_id(session: Session, *, subscriber: int) -> Person:
    """
    The person of an id that something of ours has kept.

    Raises:
        AccountClosed: They have left.
    """
    row = session.execute(_PERSON.where(Subscriber.id == subscriber, _IS_OPEN)).one_or_none()
    if row is None:
        raise AccountClosed
    return _person(row)


def _person(row: Row[Any]) -> Person:
    return Person(
        id=row.id,
        msisdn=row.msisdn,
        name=row.name,
        language=Language(row.language),
        account_id=row.account_id,
        balance=kes(row.balance),
        wallet_number=row.wallet_number,
    )


def recipient(session: Session, *, msisdn: str) -> Person:
    """
    The person money is meant for.

    Raises:
        UnknownRecipient: Nobody is registered under `msisdn`.
    """
    if (person := find(session, msisdn=msisdn)) is None:
        raise UnknownRecipient
    return person


def register(
    session: Session,
    *,
    msisdn: str,
    name: str,
    language: Language,
    terms_version: str,
    now: datetime,
) -> int:
    """
    Make a number a subscriber with a main account; return the subscriber's id.

    Raises:
        AlreadyRegistered: The number has an account.
        ClosedLately: It had one less than a day ago.
    """
    if find(session, msisdn=msisdn) is not None:
        raise AlreadyRegistered
    left_at = session.scalar(
        select(func.max(Subscriber.closed_at)).where(
            Subscriber.msisdn == msisdn, Subscriber.closed_at.is_not(None)
        )
    )
    if left_at is not None and now < left_at + _CLOSED_FOR:
        raise ClosedLately(until=left_at + _CLOSED_FOR)
    subscriber = session.scalar(text("SELECT nextval(pg_get_serial_sequence('subscribers', 'id'))"))
    account = chart.MAIN.open(session, currency=Currency.KES, owner=subscriber)
    session.execute(
        text(
            "INSERT INTO subscribers"
            " (id, msisdn, name, language, account_id, terms_version, registered_at)"
            " OVERRIDING SYSTEM VALUE"
            " VALUES (:id, :msisdn, :name, :language, :account, :terms, :now)"
        ),
        {
            "id": subscriber,
            "msisdn": msisdn,
            "name": name,
            "language": language.value,
            "account": account,
            "terms": terms_version,
            "now": now,
        },
    )
    return int(subscriber or 0)


def tier_of(session: Session, *, subscriber: int) -> Tier:
    """What we know of somebody, which decides how much they may move."""
    return Tier(session.scalars(select(Subscriber.tier).where(Subscriber.id == subscriber)).one())


def set_tier(
    session: Session, *, subscriber: int, tier: Tier, actor: Actor, note: str, now: datetime
) -> None:
    """Let this person move what their tier may, from now on. `note` says why, for the audit."""
    session.execute(update(Subscriber).where(Subscriber.id == subscriber).values(tier=tier.value))
    audit.record(
        session,
        actor=actor,
        action=Action.TIER_SET,
        subject=f"subscriber:{subscriber}",
        detail={"tier": tier.value, "note": note},
        now=now,
    )


def set_language(
    session: Session, *, subscriber: int, language: Language, actor: Actor, now: datetime
) -> None:
    """Speak to this person in another language from now on."""
    session.execute(
        update(Subscriber).where(Subscriber.id == subscriber).values(language=language.value)
    )
    audit.record(
        session,
        actor=actor,
        action=Action.LANGUAGE_SET,
        subject=f"subscriber:{subscriber}",
        detail={"language": language.value},
        now=now,
    )
