"""
Devices: where somebody is logged in, and the refresh tokens by which they stay so.

A device's refresh tokens are a family: each is good once and gives the next. Whoever shows one
that was used before has a copy, or was copied from: which of the two nobody can know, so the whole
family ends. The truth about that is here; doors may look elsewhere first for a moment
(`struck`), and are told in the transaction that ends a device.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, outbox
from core.access.principals import NotAuthenticated
from core.access.safe import Safe
from core.audit import Action, Actor
from core.db import Base
from core.errors import Invalid, NotFound, Refused
from core.outbox import Event, Fact
from core.subscribers import Person, Subscriber

REFRESH_LIVES: Final = timedelta(days=7)
DEVICES_MAX: Final = 10
# It is told to the owner by SMS, in our name: no address and no call to do something fits.
_NAME: Final = re.compile(r"(?a)\w[\w .'+()-]{0,22}[\w)]|\w")
# So long an answer that was lost on its way can be had again, by who asks with the same key.
_AGAIN_FOR: Final = timedelta(minutes=2)
_PREFIX: Final = "rt_"
_STRUCK: Final = "devices struck"


@dataclass(eq=False)
class InvalidDeviceName(Invalid):
    """A device's name is 1 to 24 plain letters, digits and blanks."""


@dataclass(eq=False)
class UnknownDevice(NotFound):
    """The caller is not logged in on such a device."""


@dataclass(eq=False)
class RefreshUnderWay(Refused):
    """The token is being used by another request at this moment; that one hears the next token."""


class Because(StrEnum):
    """Why somebody is no longer logged in on a device."""

    LOGGED_OUT = "logged-out"
    REMOVED = "removed"
    """By its owner, from another one."""
    PIN_CHANGED = "pin-changed"
    CLOSED = "closed"
    """The account was."""
    SUSPENDED = "suspended"
    """By staff."""
    REUSED = "reused"
    """A refresh token of its was used twice."""
    TOO_MANY = "too-many"
    """Others came, and it was not seen for the longest time."""


class Device(Base):
    """
    One log-in on one device. `public_id` is what tokens and programs call it by.

    `ends_at` is when its newest refresh token ends. What is revoked stays so.
    """

    __tablename__ = "devices"
    __table_args__ = (
        UniqueConstraint("public_id"),
        Index("ix_devices_standing", "subscriber_id", postgresql_where=text("revoked_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    public_id: Mapped[str] = mapped_column(Text)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id))
    name: Mapped[str] = mapped_column(Text)
    second_factor: Mapped[bool] = mapped_column(Boolean)
    begun_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_because: Mapped[str | None] = mapped_column(Text)


class Refresh(Base):
    """A refresh token, by its hash. Who was given it has it; we do not."""

    __tablename__ = "refreshes"
    __table_args__ = (Index("ix_refreshes_device_id", "device_id"),)

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey(Device.id))
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Opened:
    """A device somebody is logged in on, and the refresh token it keeps from now on."""

    id: int
    public_id: str
    refresh: str = field(repr=False)
    refresh_until: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A device that its owner is logged in on."""

    id: int
    subscriber: int
    second_factor: bool


def parse_name(typed: str) -> str:
    """
    Take what a program calls the device it is on.

    Raises:
        InvalidDeviceName: Nothing, too much, or what a phone may not print.
    """
    if not _NAME.fullmatch(typed):
        raise InvalidDeviceName
    return typed


def begin(
    session: Session,
    *,
    person: Person,
    name: str,
    second_factor: bool,
    actor: Actor,
    now: datetime,
) -> Opened:
    """Let somebody who has shown who they are be logged in on a device, and tell them of it."""
    _make_room(session, subscriber=person.id, actor=actor, now=now)
    public_id = f"dev_{secrets.token_hex(13)}"
    device = session.scalars(
        insert(Device)
        .values(
            public_id=public_id,
            subscriber_id=person.id,
            name=name,
            second_factor=second_factor,
            begun_at=now,
            seen_at=now,
            ends_at=now + REFRESH_LIVES,
        )
        .returning(Device.id)
    ).one()
    audit.record(
        session,
        actor=actor,
        action=Action.DEVICE_ADDED,
        subject=f"subscriber:{person.id}",
        detail={"device": public_id, "name": name, "second_factor": second_factor},
        now=now,
    )
    facts = {"device": name, "at": now.isoformat()}
    fact = Fact(Event.DEVICE_ADDED, person.msisdn, person.language.value, facts)
    outbox.stage(session, facts=[fact], now=now)
    refresh = _issue(session, device=device, token=_random(), now=now)
    return Opened(device, public_id, refresh, now + REFRESH_LIVES)


def refresh(
    session: Session, *, token: str, again: str | None, safe: Safe, actor: Actor, now: datetime
) -> Opened:
    """
    Use up a refresh token and give the next.

    A family that ends here must stay so although this raises: call it outside of anything that is
    undone. Of two requests at once one is answered, and the other is told so; nothing ends by it.

    Args:
        session: The caller's transaction.
        token: What the device has kept.
        again: A key of the caller's: with the same one a lost answer can be had again, as long as
            the token in it was not used.
        safe: What makes the same token of the same key.
        actor: Who, and from where.
        now: When.

    Raises:
        NotAuthenticated: It is none, it is over, or it was used before: then its family has ended.
        RefreshUnderWay: Another request is using it.
    """
    hashed = _hash(token)
    row = session.execute(
        select(Refresh.device_id, Refresh.used_at, Refresh.expires_at)
        .where(Refresh.hash == hashed)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        if session.scalar(select(Refresh.device_id).where(Refresh.hash == hashed)) is not None:
            raise RefreshUnderWay
        raise NotAuthenticated
    device = session.execute(
        select(Device.public_id, Device.subscriber_id, Device.revoked_at, Device.ends_at)
        .where(Device.id == row.device_id)
        .with_for_update()
    ).one()
    if device.revoked_at is not None or row.expires_at <= now:
        raise NotAuthenticated
    following = None if again is None else _following(token, again, safe)
    if row.used_at is not None:
        is_lost = following is not None and row.used_at + _AGAIN_FOR > now
        if not is_lost or not _is_unused(session, following or ""):
            _end_copied(session, row.device_id, device.subscriber_id, actor=actor, now=now)
            raise NotAuthenticated
        return Opened(row.device_id, device.public_id, following or "", device.ends_at)
    session.execute(update(Refresh).where(Refresh.hash == hashed).values(used_at=now))
    ends_at = now + REFRESH_LIVES
    session.execute(
        update(Device).where(Device.id == row.device_id).values(seen_at=now, ends_at=ends_at)
    )
    issued = _issue(session, device=row.device_id, token=following or _random(), now=now)
    return Opened(row.device_id, device.public_id, issued, ends_at)


def find(session: Session, *, public_id: str, now: datetime) -> Standing | None:
    """The device of that public id, if its owner is logged in on it."""
    row = session.execute(
        select(Device.id, Device.subscriber_id, Device.second_factor)
        .join(Subscriber, Subscriber.id == Device.subscriber_id)
        .where(
            Device.public_id == public_id,
            Device.revoked_at.is_(None),
            Device.ends_at > now,
            Subscriber.closed_at.is_(None),
        )
    ).one_or_none()
    return None if row is None else Standing(row.id, row.subscriber_id, row.second_factor)


def standing(session: Session, *, subscriber: int, now: datetime) -> Sequence[Device]:
    """The devices somebody is logged in on, the one seen last first."""
    return session.scalars(
        select(Device)
        .where(
            Device.subscriber_id == subscriber,
            Device.revoked_at.is_(None),
            Device.ends_at > now,
        )
        .order_by(Device.seen_at.desc(), Device.id.desc())
    ).all()


def remove(
    session: Session,
    *,
    subscriber: int,
    public_id: str,
    because: Because,
    actor: Actor,
    now: datetime,
) -> None:
    """
    Let somebody be logged in on one of their devices no longer, at once.

    Raises:
        UnknownDevice: It is not theirs, or they are not.
    """
    is_it = Device.public_id == public_id
    if not _revoke(session, subscriber, is_it, because=because, actor=actor, now=now):
        raise UnknownDevice


def remove_all(
    session: Session, *, subscriber: int, because: Because, actor: Actor, now: datetime
) -> None:
    """Let somebody be logged in nowhere, at once."""
    _revoke(session, subscriber, because=because, actor=actor, now=now)


def struck(session: Session) -> frozenset[str]:
    """
    Which devices this session has ended, by their public ids, since that was asked last.

    Who keeps a copy of what stands must strike these from it before the session commits.
    """
    return frozenset(session.info.pop(_STRUCK, ()))


def _revoke(
    session: Session,
    subscriber: int,
    *which: ColumnElement[bool],
    because: Because,
    actor: Actor,
    now: datetime,
) -> int:
    ended = session.scalars(
        update(Device)
        .where(Device.subscriber_id == subscriber, Device.revoked_at.is_(None), *which)
        .values(revoked_at=now, revoked_because=because.value)
        .returning(Device.public_id)
    ).all()
    if not ended:
        return 0
    session.info.setdefault(_STRUCK, set()).update(ended)
    audit.record(
        session,
        actor=actor,
        action=Action.DEVICES_REMOVED,
        subject=f"subscriber:{subscriber}",
        detail={"devices": list(ended), "because": because.value},
        now=now,
    )
    return len(ended)


def _make_room(session: Session, *, subscriber: int, actor: Actor, now: datetime) -> None:
    """End what was not seen for the longest time where there would be too many."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"devices:{subscriber}"},
    )
    there = standing(session, subscriber=subscriber, now=now)
    surplus = [each.public_id for each in there[DEVICES_MAX - 1 :]]
    if surplus:
        of_them = Device.public_id.in_(surplus)
        _revoke(session, subscriber, of_them, because=Because.TOO_MANY, actor=actor, now=now)


def _end_copied(
    session: Session, device: int, subscriber: int, *, actor: Actor, now: datetime
) -> None:
    """End a family of which somebody has a copy, and tell its owner."""
    is_it = Device.id == device
    _revoke(session, subscriber, is_it, because=Because.REUSED, actor=actor, now=now)
    row = session.execute(
        select(Device.name, Subscriber.msisdn, Subscriber.language)
        .join(Subscriber, Subscriber.id == Device.subscriber_id)
        .where(is_it)
    ).one()
    fact = Fact(Event.DEVICE_COPIED, row.msisdn, row.language, {"device": row.name})
    outbox.stage(session, facts=[fact], now=now)


def _issue(session: Session, *, device: int, token: str, now: datetime) -> str:
    session.execute(
        insert(Refresh).values(
            hash=_hash(token), device_id=device, issued_at=now, expires_at=now + REFRESH_LIVES
        )
    )
    return token


def _is_unused(session: Session, token: str) -> bool:
    unused = select(Refresh.hash).where(Refresh.hash == _hash(token), Refresh.used_at.is_(None))
    return session.scalar(unused) is not None


def _random() -> str:
    return _PREFIX + secrets.token_urlsafe(32)


def _following(token: str, again: str, safe: Safe) -> str:
    """The next token, for who asks with a key: the same for the same, and nobody else's guess."""
    return _PREFIX + safe.derive("refresh", token, again).hex()


def _hash(token: str) -> bytes:
    # 256 bits of chance need no slow hash, and are looked up by it: no comparison takes its time.
    return hashlib.sha256(token.encode()).digest()
