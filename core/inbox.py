"""
What providers told us, verbatim. A door stores and acknowledges; a worker understands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    case,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base

TRIES_MAX: Final = 8


class Kind(StrEnum):
    """What a provider tells us about."""

    SMS_INBOUND = "sms-inbound"
    """Somebody wrote to our number."""
    SMS_DELIVERY = "sms-delivery"
    """What became of a message of ours."""
    SMS_OPTOUT = "sms-optout"
    """Somebody wants no promotional messages."""
    SMS_SUBSCRIPTION = "sms-subscription"
    """Somebody has subscribed to a service of ours, or no longer does."""
    PROMPT_ENDED = "prompt-ended"
    """How a prompt of ours to pay ended."""
    PAYOUT_RESULT = "payout-result"
    """What became of a payout of ours."""
    PAYOUT_TIMEOUT = "payout-timeout"
    """That nobody knows yet what becomes of one: a hint to ask, no more."""
    PAYMENT_RECEIVED = "payment-received"
    """Somebody paid us unasked."""
    INQUIRY_RESULT = "inquiry-result"
    """The answer to a question of ours."""
    INQUIRY_TIMEOUT = "inquiry-timeout"
    """That there will most likely be none."""
    RAIL_NEWS = "rail-news"
    """A payment rail has news of a charge or a transfer."""
    USSD_ENDED = "ussd-ended"
    """How a USSD session ended. Kept for figures; nothing acts on it."""


class Inbox(Base):
    """
    One thing a provider told us. `key` is what makes the provider's repeat harmless.

    What comes as a form is kept as its fields, with secrets taken out; what comes as a body is kept
    byte by byte, with where it came from and the hash of the secret part of its address.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        Index(
            "ix_inbox_undone",
            "provider",
            "ring_at",
            "id",
            postgresql_where=text("done_at IS NULL"),
        ),
        Index(
            "ix_inbox_written",
            "provider",
            "ring_at",
            "id",
            postgresql_where=text("done_at IS NULL AND kind <> 'sms-delivery'"),
        ),
        Index("ix_inbox_ended", "received_at", postgresql_where=text("kind = 'ussd-ended'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    provider: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text, unique=True)
    form: Mapped[dict[str, Any]] = mapped_column(JSONB)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    origin: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ring_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    tries: Mapped[int] = mapped_column(Integer, server_default="0")
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Letter:
    """One thing to be understood."""

    id: int
    kind: Kind
    form: Mapping[str, str]
    received_at: datetime
    body: bytes = b""
    token_hash: bytes | None = None
    provider: str = ""


def receive(
    session: Session,
    *,
    provider: str,
    kind: Kind,
    key: str,
    form: Mapping[str, str] | None = None,
    body: bytes | None = None,
    token_hash: bytes | None = None,
    origin: str | None = None,
    now: datetime,
) -> None:
    """
    Keep what a provider says, once per key. The relay is notified when this commits.

    Args:
        session: The door's transaction.
        provider: Who says it.
        kind: What it is about.
        key: Unique to what is said; the provider repeats itself until it is acknowledged.
        form: The fields as they came, with secrets already taken out.
        body: The bytes as they came, where they are no form.
        token_hash: The hash of the secret part of the address it was sent to.
        origin: The address it came from.
        now: When it came.
    """
    session.execute(
        insert(Inbox)
        .values(
            provider=provider,
            kind=kind.value,
            key=f"{provider}:{kind}:{key}",
            form=dict(form or {}),
            body=body,
            token_hash=token_hash,
            origin=origin,
            received_at=now,
            ring_at=now,
            done_at=now if kind is Kind.USSD_ENDED else None,
        )
        .on_conflict_do_nothing(index_elements=[Inbox.key])
    )


def take(session: Session, *, letter: int) -> Letter | None:
    """Take a letter to understand it; None when it is done, or in somebody else's hands."""
    return next(iter(take_lot(session, letters=[letter])), None)


def take_lot(session: Session, *, letters: Sequence[int]) -> list[Letter]:
    """Take letters to understand them together: those of a lot that `take` would give."""
    rows = session.execute(
        select(
            Inbox.id,
            Inbox.kind,
            Inbox.form,
            Inbox.received_at,
            Inbox.body,
            Inbox.token_hash,
            Inbox.provider,
        )
        .where(Inbox.id.in_(letters), Inbox.done_at.is_(None))
        .order_by(Inbox.id)
        .with_for_update(skip_locked=True)
    )
    return [
        Letter(
            row.id,
            Kind(row.kind),
            row.form,
            row.received_at,
            row.body or b"",
            row.token_hash,
            row.provider,
        )
        for row in rows
    ]


def close(session: Session, *letters: int, now: datetime) -> None:
    """Say that letters were understood and acted on, in the transaction that acted."""
    session.execute(update(Inbox).where(Inbox.id.in_(letters)).values(done_at=now))


def put_off(session: Session, *, letter: int, until: datetime) -> None:
    """Keep a letter for later: something else must be known before it can be acted on."""
    session.execute(update(Inbox).where(Inbox.id == letter).values(ring_at=until))


def failed(session: Session, *, letter: int, now: datetime) -> bool:
    """Count a try that met a fault of ours; return whether it was the last. The letter is kept."""
    tries = Inbox.tries + 1
    done_at = case((tries >= TRIES_MAX, now), else_=None)
    made = session.scalar(
        update(Inbox)
        .where(Inbox.id == letter, Inbox.done_at.is_(None))
        .values(tries=tries, done_at=done_at)
        .returning(Inbox.tries)
    )
    return made == TRIES_MAX
