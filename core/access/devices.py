"""
Devices: where somebody is logged in by a program, and since when no longer.

The truth about that is here. Doors may keep a copy of it for a moment, and are told in the
transaction that ends a device (`struck`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
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
    Text,
    UniqueConstraint,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, db, outbox
from core.access import tokens
from core.audit import Action, Actor
from core.db import Base
from core.errors import Invalid, NotFound
from core.outbox import Event, Fact
from core.subscribers import Person, Subscriber

# So long a device that is not heard of stays logged in.
STAYS: Final = timedelta(days=7)
DEVICES_MAX: Final = 10
# It is told to the owner by SMS, in our name: no address and no call to do something fits.
_NAME: Final = re.compile(r"(?a)\w[\w .'+()-]{0,22}[\w)]|\w")
_STRUCK: Final = "devices struck"
# What doors' copy says of a device that has ended, for as long as a token of its may be shown.
STRUCK: Final = b"struck"
STRUCK_SECONDS: Final = int(tokens.LIVES.total_seconds()) + 60


@dataclass(eq=False)
class InvalidDeviceName(Invalid):
    """A device's name is 1 to 24 plain letters, digits and blanks."""


@dataclass(eq=False)
class UnknownDevice(NotFound):
    """The caller is not logged in on such a device."""


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


@dataclass(frozen=True, slots=True)
class Begun:
    """A device somebody is logged in on from now on."""

    id: int
    public_id: str


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
) -> Begun:
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
            ends_at=now + STAYS,
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
    return Begun(device, public_id)


def seen(session: Session, *, device: int, now: datetime) -> datetime:
    """Note that a device was heard of, and until when that is good."""
    ends_at = now + STAYS
    session.execute(update(Device).where(Device.id == device).values(seen_at=now, ends_at=ends_at))
    return ends_at


def end_copied(session: Session, *, device: int, actor: Actor, now: datetime) -> None:
    """Log a device out of whose tokens somebody has a copy, and tell its owner."""
    row = session.execute(
        select(Device.name, Subscriber.id, Subscriber.msisdn, Subscriber.language)
        .join(Subscriber, Subscriber.id == Device.subscriber_id)
        .where(Device.id == device)
    ).one()
    is_it = Device.id == device
    _revoke(session, row.id, is_it, because=Because.REUSED, actor=actor, now=now)
    fact = Fact(Event.DEVICE_COPIED, row.msisdn, row.language, {"device": row.name})
    outbox.stage(session, facts=[fact], now=now)


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
    actor: Actor,
    now: datetime,
) -> None:
    """
    Let somebody be logged in on one of their devices no longer, at once.

    Raises:
        UnknownDevice: It is not theirs, or they are not.
    """
    is_it = Device.public_id == public_id
    if not _revoke(session, subscriber, is_it, because=Because.REMOVED, actor=actor, now=now):
        raise UnknownDevice


def get(session: Session, *, device: int) -> Device:
    """The device of an id that something of ours has kept."""
    return session.scalars(select(Device).where(Device.id == device)).one()


def log_out(session: Session, *, subscriber: int, device: int, actor: Actor, now: datetime) -> None:
    """Let somebody be logged in no longer on the device they are on; twice is as good as once."""
    is_it = Device.id == device
    _revoke(session, subscriber, is_it, because=Because.LOGGED_OUT, actor=actor, now=now)


def remove_all(
    session: Session, *, subscriber: int, because: Because, actor: Actor, now: datetime
) -> None:
    """Let somebody be logged in nowhere, at once."""
    _revoke(session, subscriber, because=because, actor=actor, now=now)


def copy_of(public_id: str) -> str:
    """What a device is called in the copy that doors keep of what stands."""
    return f"kabambe:device:{public_id}"


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
    db.alone(session, f"devices:{subscriber}")
    there = standing(session, subscriber=subscriber, now=now)
    surplus = [each.public_id for each in there[DEVICES_MAX - 1 :]]
    if surplus:
        of_them = Device.public_id.in_(surplus)
        _revoke(session, subscriber, of_them, because=Because.TOO_MANY, actor=actor, now=now)
