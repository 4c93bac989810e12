"""
Refresh tokens: by which a device stays logged in.

Those of a device are a family: each is good once and gives the next. Whoever shows one that was
used before has a copy, or was copied from: which of the two nobody can know, so the family ends,
and the device is logged out. Two requests at once are no theft: one is answered, and the other is
told to wait. An answer that a network has lost can be had again by who asks with the same key.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import DateTime, ForeignKey, Index, LargeBinary, Text, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.access import devices
from core.access.devices import Begun, Device
from core.access.principals import NotAuthenticated
from core.at_rest import Chest, Unreadable
from core.audit import Actor
from core.db import Base
from core.errors import Refused

# So long an answer that was lost on its way can be had again.
_AGAIN_FOR: Final = timedelta(minutes=2)
_PREFIX: Final = "rt_"


@dataclass(eq=False)
class RefreshUnderWay(Refused):
    """The token is being used by another request at this moment; that one hears the next token."""


class Refresh(Base):
    """
    A refresh token, by its hash. Who was given it has it; we do not.

    `following` is the next token, locked, where who used this one may ask for it again.
    """

    __tablename__ = "refreshes"
    __table_args__ = (
        Index("ix_refreshes_device_id", "device_id"),
        Index("ix_refreshes_expires_at", "expires_at"),
    )

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey(Device.id))
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    following: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Opened:
    """A device somebody is logged in on, and the refresh token it keeps from now on."""

    id: int
    public_id: str
    refresh: str = field(repr=False)
    refresh_until: datetime


def begin(session: Session, *, device: Begun, now: datetime) -> Opened:
    """Give a device the first of its tokens."""
    token = _add(session, device=device.id, now=now)
    return Opened(device.id, device.public_id, token, now + devices.STAYS)


def refresh(
    session: Session, *, token: str, again: str | None, chest: Chest, actor: Actor, now: datetime
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
        chest: What locks the next token for that.
        actor: Who, and from where.
        now: When.

    Raises:
        NotAuthenticated: It is none, it is over, or it was used before: then its family has ended.
        RefreshUnderWay: Another request is using it.
    """
    hashed = _hash(token)
    row = session.scalar(
        select(Refresh).where(Refresh.hash == hashed).with_for_update(skip_locked=True)
    )
    if row is None:
        if session.scalar(select(Refresh.device_id).where(Refresh.hash == hashed)) is not None:
            raise RefreshUnderWay
        raise NotAuthenticated
    device = session.execute(
        select(Device.id, Device.public_id, Device.revoked_at, Device.ends_at)
        .where(Device.id == row.device_id)
        .with_for_update()
    ).one()
    if device.revoked_at is not None or row.expires_at <= now:
        raise NotAuthenticated
    if row.used_at is not None:
        following = _lost(session, row, again, chest, now=now)
        if following is None:
            devices.end_copied(session, device=device.id, actor=actor, now=now)
            raise NotAuthenticated
        return Opened(device.id, device.public_id, following, device.ends_at)
    following = _add(session, device=device.id, now=now)
    row.used_at = now
    if again is not None:
        row.following = chest.lock(following, purpose=_again(hashed, again))
    ends_at = devices.seen(session, device=device.id, now=now)
    return Opened(device.id, device.public_id, following, ends_at)


def _add(session: Session, *, device: int, now: datetime) -> str:
    token = _PREFIX + secrets.token_urlsafe(32)
    session.execute(
        insert(Refresh).values(
            hash=_hash(token), device_id=device, issued_at=now, expires_at=now + devices.STAYS
        )
    )
    return token


def _lost(
    session: Session, row: Refresh, again: str | None, chest: Chest, *, now: datetime
) -> str | None:
    """What a used token was answered with, for who lost the answer and asks with the same key."""
    if again is None or row.following is None or row.used_at is None:
        return None
    if row.used_at + _AGAIN_FOR <= now:
        return None
    try:
        following = chest.open(row.following, purpose=_again(row.hash, again))
    except Unreadable:
        return None
    unused = select(Refresh.hash).where(Refresh.hash == _hash(following), Refresh.used_at.is_(None))
    return None if session.scalar(unused) is None else following


def _again(hashed: bytes, again: str) -> str:
    return f"refresh:{hashed.hex()}:{hashlib.sha256(again.encode()).hexdigest()}"


def _hash(token: str) -> bytes:
    # 256 bits of chance need no slow hash, and are looked up by it: no comparison takes its time.
    return hashlib.sha256(token.encode()).digest()
