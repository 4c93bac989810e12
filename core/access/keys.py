"""
API keys: by which programs act for a person, with some of the person's permissions, for a time.

A key is shown once; only its hash is kept. Nothing that a key has done is undone by its end.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Select,
    Text,
    UniqueConstraint,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, db, outbox
from core.access.principals import OF_SERVICES, Permission
from core.audit import Action, Actor
from core.db import Base
from core.errors import Invalid, NotFound, Refused
from core.outbox import Event, Fact
from core.subscribers import Person, Subscriber, Tier

PREFIX: Final = "sk_live_"
ACTIVE_MAX: Final = 5
NAME_LENGTH_MAX: Final = 40
# When a key was used last is told to the minute, and written no oftener.
_USED_WITHIN: Final = timedelta(minutes=1)
_KEY: Final = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
_END_LENGTH: Final = 4


class Lifetime(StrEnum):
    """How long a key is good."""

    HOUR = "1H"
    DAY = "1D"
    MONTH = "1M"
    YEAR = "1Y"

    @property
    def lasts(self) -> timedelta:
        """A month has thirty days, a year has 365."""
        return _LASTS[self]


_LASTS: Final = {
    Lifetime.HOUR: timedelta(hours=1),
    Lifetime.DAY: timedelta(days=1),
    Lifetime.MONTH: timedelta(days=30),
    Lifetime.YEAR: timedelta(days=365),
}


@dataclass(eq=False)
class InvalidApiKey(Invalid):
    """A key has a name of 1 to 40 printable letters, and at least one permission a key can have."""


@dataclass(eq=False)
class UnknownApiKey(NotFound):
    """The caller has no such key."""


@dataclass(eq=False)
class TooManyApiKeys(Refused):
    """So many keys are good already; one has to be revoked first."""

    count_max: int


@dataclass(eq=False)
class ApiKeyNotOver(Refused):
    """Only a key whose time is over, and that was not revoked, is followed by another."""


class ApiKey(Base):
    """
    A key, by its hash. `end` is its last letters, by which its owner knows it again.

    `follows_id` is the key that it followed; a key is followed once.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        UniqueConstraint("public_id"),
        UniqueConstraint("hash"),
        UniqueConstraint("follows_id"),
        Index("ix_api_keys_subscriber_id", "subscriber_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    public_id: Mapped[str] = mapped_column(Text)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id))
    name: Mapped[str] = mapped_column(Text)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    end: Mapped[str] = mapped_column(Text)
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    follows_id: Mapped[int | None] = mapped_column(ForeignKey("api_keys.id"))


@dataclass(frozen=True, slots=True)
class Made:
    """A key as its owner sees it, this once."""

    key: str = field(repr=False)
    row: ApiKey


@dataclass(frozen=True, slots=True)
class Good:
    """A key that is good: whose it is, and what it may do."""

    id: int
    subscriber: int
    permissions: frozenset[Permission]
    to_note: bool
    """Whether its use is worth writing down."""


def make(
    session: Session,
    *,
    person: Person,
    name: str,
    permissions: Iterable[Permission],
    lifetime: Lifetime,
    actor: Actor,
    now: datetime,
) -> Made:
    """
    Make a key, and tell its owner, who may not have done it.

    Raises:
        InvalidApiKey: Its name or its permissions will not do.
        TooManyApiKeys: Five are good already.
    """
    wanted = frozenset(permissions)
    is_named = 0 < len(name.strip()) <= NAME_LENGTH_MAX and name.isprintable()
    if not is_named or not wanted or not wanted <= OF_SERVICES:
        raise InvalidApiKey
    _alone(session, person.id)
    told = _Told(name.strip(), wanted, lifetime)
    return _make(session, person, told, actor=actor, now=now)


def roll_over(
    session: Session,
    *,
    person: Person,
    public_id: str,
    lifetime: Lifetime,
    actor: Actor,
    now: datetime,
) -> Made:
    """
    Let a key whose time is over be followed by one with the same name and permissions.

    Raises:
        UnknownApiKey: It is not theirs.
        ApiKeyNotOver: Its time is not over; or it was revoked, or followed already.
        TooManyApiKeys: Five are good already.
    """
    _alone(session, person.id)
    old = session.scalar(_one(person.id, public_id))
    if old is None:
        raise UnknownApiKey
    followed = session.scalar(select(ApiKey.id).where(ApiKey.follows_id == old.id))
    if old.expires_at > now or old.revoked_at is not None or followed is not None:
        raise ApiKeyNotOver
    permissions = frozenset(map(Permission, old.permissions))
    told = _Told(old.name, permissions, lifetime, follows=old)
    return _make(session, person, told, actor=actor, now=now)


def listed(session: Session, *, subscriber: int) -> Sequence[ApiKey]:
    """All keys somebody ever had, the newest first."""
    return session.scalars(
        select(ApiKey).where(ApiKey.subscriber_id == subscriber).order_by(ApiKey.id.desc())
    ).all()


def revoke(
    session: Session, *, subscriber: int, public_id: str, actor: Actor, now: datetime
) -> None:
    """
    End a key at once; one that has ended stays so.

    Raises:
        UnknownApiKey: It is not theirs.
    """
    row = session.scalar(_one(subscriber, public_id).with_for_update())
    if row is None:
        raise UnknownApiKey
    if row.revoked_at is None:
        _end(session, subscriber, ApiKey.id == row.id, actor=actor, now=now)


def revoke_all(session: Session, *, subscriber: int, actor: Actor, now: datetime) -> None:
    """End all keys of somebody at once."""
    _end(session, subscriber, actor=actor, now=now)


def find(session: Session, *, key: str, now: datetime) -> Good | None:
    """The key that somebody shows, if it is good. While its owner is suspended it is not."""
    if not _KEY.fullmatch(key):
        return None
    row = session.execute(
        select(ApiKey.id, ApiKey.subscriber_id, ApiKey.permissions, ApiKey.used_at)
        .join(Subscriber, Subscriber.id == ApiKey.subscriber_id)
        .where(
            ApiKey.hash == _hash(key),
            *_is_good(now),
            Subscriber.closed_at.is_(None),
            Subscriber.tier != Tier.SUSPENDED,
        )
    ).one_or_none()
    if row is None:
        return None
    to_note = row.used_at is None or row.used_at <= now - _USED_WITHIN
    permissions = frozenset(map(Permission, row.permissions))
    return Good(row.id, row.subscriber_id, permissions, to_note)


def note_use(session: Session, *, key: int, now: datetime) -> None:
    """Write down that a key was used, unless another call of this minute has."""
    session.execute(
        update(ApiKey)
        .where(
            ApiKey.id == key,
            or_(ApiKey.used_at.is_(None), ApiKey.used_at <= now - _USED_WITHIN),
        )
        .values(used_at=now)
    )


def is_key(shown: str) -> bool:
    """Whether what somebody shows says to be a key, good or not."""
    return shown.startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a key is to be."""

    name: str
    permissions: frozenset[Permission]
    lifetime: Lifetime
    follows: ApiKey | None = None


def _make(session: Session, person: Person, told: _Told, *, actor: Actor, now: datetime) -> Made:
    active = select(func.count()).where(ApiKey.subscriber_id == person.id, *_is_good(now))
    if (session.scalar(active) or 0) >= ACTIVE_MAX:
        raise TooManyApiKeys(count_max=ACTIVE_MAX)
    key = PREFIX + secrets.token_urlsafe(32)
    row = session.scalars(
        insert(ApiKey)
        .values(
            public_id=f"key_{secrets.token_hex(13)}",
            subscriber_id=person.id,
            name=told.name,
            hash=_hash(key),
            end=key[-_END_LENGTH:],
            permissions=sorted(each.value for each in told.permissions),
            made_at=now,
            expires_at=now + told.lifetime.lasts,
            follows_id=None if told.follows is None else told.follows.id,
        )
        .returning(ApiKey)
    ).one()
    detail = {"key": row.public_id, "name": row.name, "permissions": row.permissions}
    if told.follows is not None:
        detail["follows"] = told.follows.public_id
    audit.record(
        session,
        actor=actor,
        action=Action.API_KEY_MADE,
        subject=f"subscriber:{person.id}",
        detail=detail | {"expires_at": row.expires_at.isoformat()},
        now=now,
    )
    facts = {"at": now.isoformat(), "until": row.expires_at.isoformat()}
    fact = Fact(Event.API_KEY_MADE, person.msisdn, person.language.value, facts)
    outbox.stage(session, facts=[fact], now=now)
    return Made(key, row)


def _end(
    session: Session, subscriber: int, *which: ColumnElement[bool], actor: Actor, now: datetime
) -> None:
    ended = session.scalars(
        update(ApiKey)
        .where(ApiKey.subscriber_id == subscriber, ApiKey.revoked_at.is_(None), *which)
        .values(revoked_at=now)
        .returning(ApiKey.public_id)
    ).all()
    if ended:
        audit.record(
            session,
            actor=actor,
            action=Action.API_KEYS_REVOKED,
            subject=f"subscriber:{subscriber}",
            detail={"keys": list(ended)},
            now=now,
        )


def _alone(session: Session, subscriber: int) -> None:
    """One at a time makes keys for somebody: two that count at once would both find room."""
    db.alone(session, f"api-keys:{subscriber}")


def _one(subscriber: int, public_id: str) -> Select[tuple[ApiKey]]:
    return select(ApiKey).where(ApiKey.subscriber_id == subscriber, ApiKey.public_id == public_id)


def _is_good(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return ApiKey.revoked_at.is_(None), ApiKey.expires_at > now


def _hash(key: str) -> bytes:
    # 256 bits of chance need no slow hash, and are looked up by it: no comparison takes its time.
    return hashlib.sha256(key.encode()).digest()
