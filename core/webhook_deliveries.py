"""
Webhook deliveries as their owner sees them: what was told to which program, and what it answered.

A delivery is made by the trigger `stage_webhooks`, with the event it tells of; `core.webhook_calls`
has it sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Row,
    Text,
    UniqueConstraint,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import webhook_bodies, webhooks
from core.db import Base
from core.errors import NotFound, Refused
from core.outbox import Outbox
from core.webhooks import Endpoint, Webhook

# As many as a replay takes up at once; who missed more asks again.
REPLAYED_MAX: Final = 10_000
TEST_TYPE: Final = "webhook.test"


@dataclass(eq=False)
class UnknownDelivery(NotFound):
    """That webhook was never told such a thing."""


@dataclass(eq=False)
class WebhookDisabled(Refused):
    """The webhook is turned off: nothing is sent there."""


class DeliveryState(StrEnum):
    """Where a delivery is."""

    WAITING = "waiting"
    SENDING = "sending"
    """A worker has it, until `due_at`: if nothing was heard by then the worker has died."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """It was tried for three days."""
    MISSED = "missed"
    """The webhook was turned off."""


class Delivery(Base):
    """
    Something that a program is told. `code` is the `webhook-id`, the same however often it is sent.

    `body` is kept when it is first sent, so that every copy is the same. `tries` are all attempts,
    `tries_before` those before it was last replayed, and `tried_from` when the first one since was
    made.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "outbox_id"),
        CheckConstraint(
            "state IN ('waiting', 'sending', 'delivered', 'failed', 'missed')", name="state"
        ),
        Index(
            "ix_webhook_deliveries_due",
            "endpoint_id",
            "due_at",
            "id",
            postgresql_where=text("state IN ('waiting', 'sending')"),
        ),
        Index("ix_webhook_deliveries_log", "endpoint_id", "id"),
        Index(
            "ix_webhook_deliveries_ended",
            "ended_at",
            postgresql_where=text("state IN ('delivered', 'failed', 'missed')"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(Text, unique=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey(Endpoint.id))
    outbox_id: Mapped[int | None] = mapped_column(ForeignKey(Outbox.id))
    type: Mapped[str] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    staged_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    tried_from: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    tries: Mapped[int] = mapped_column(Integer, server_default="0")
    tries_before: Mapped[int] = mapped_column(Integer, server_default="0")
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Attempt(Base):
    """
    One call. `status` is the answer's, `why` the reason where there was none that will do.

    It is written before the call is made: one without an end is one whose worker died.
    """

    __tablename__ = "webhook_attempts"

    delivery_id: Mapped[int] = mapped_column(
        ForeignKey(Delivery.id, ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    duration_ms: Mapped[int | None] = mapped_column(Integer)
    status: Mapped[int | None] = mapped_column(Integer)
    why: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Logged:
    """A delivery as its owner sees it. `cursor` is where a list goes on after it."""

    cursor: int
    code: str
    type: str
    state: DeliveryState
    staged_at: datetime
    due_at: datetime
    tries: int


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt as its owner sees it."""

    number: int
    started_at: datetime
    duration_ms: int | None
    status: int | None
    why: str | None
    answer: str | None


_SEEN = select(
    Delivery.id,
    Delivery.code,
    Delivery.type,
    Delivery.state,
    Delivery.staged_at,
    Delivery.due_at,
    Delivery.tries,
)


def listed(
    session: Session,
    *,
    webhook: Webhook,
    state: DeliveryState | None = None,
    before: int | None = None,
    count: int,
) -> list[Logged]:
    """What a webhook was told, newest first; `before` is the cursor to go on from."""
    rows = _SEEN.where(Delivery.endpoint_id == webhook.id)
    if state is not None:
        rows = rows.where(Delivery.state == state.value)
    if before is not None:
        rows = rows.where(Delivery.id < before)
    found = session.execute(rows.order_by(Delivery.id.desc()).limit(count))
    return [_logged(row) for row in found]


def find(session: Session, *, webhook: Webhook, code: str) -> Logged:
    """
    One thing that a webhook was told.

    Raises:
        UnknownDelivery: It was not.
    """
    row = session.execute(
        _SEEN.where(Delivery.endpoint_id == webhook.id, Delivery.code == code)
    ).one_or_none()
    if row is None:
        raise UnknownDelivery
    return _logged(row)


def tried(session: Session, *, delivery: Logged) -> Sequence[Tried]:
    """Every attempt at a delivery, the first one first."""
    rows = session.execute(
        select(
            Attempt.number,
            Attempt.started_at,
            Attempt.duration_ms,
            Attempt.status,
            Attempt.why,
            Attempt.answer,
        )
        .where(Attempt.delivery_id == delivery.cursor)
        .order_by(Attempt.number)
    )
    return [Tried(*row) for row in rows]


def replay(session: Session, *, webhook: Webhook, code: str, now: datetime) -> Logged:
    """
    Send one thing again, whatever became of it, under the same id. What is under way stays so.

    Raises:
        UnknownDelivery: That webhook was never told such a thing.
        WebhookDisabled: Nothing is sent there.
    """
    _require_active(webhook)
    found = find(session, webhook=webhook, code=code)
    _replay(session, [found.cursor], now=now)
    return find(session, webhook=webhook, code=code)


def replay_since(
    session: Session, *, webhook: Webhook, since: datetime, delivered_too: bool, now: datetime
) -> int:
    """
    Send again what was staged since an instant and never arrived; or all of it. Return how much.

    Raises:
        WebhookDisabled: Nothing is sent there.
    """
    _require_active(webhook)
    ended = [
        DeliveryState.FAILED,
        DeliveryState.MISSED,
        *([DeliveryState.DELIVERED] if delivered_too else []),
    ]
    ids = session.scalars(
        select(Delivery.id)
        .where(Delivery.endpoint_id == webhook.id, Delivery.staged_at >= since)
        .where(Delivery.state.in_([state.value for state in ended]))
        .order_by(Delivery.id)
        .limit(REPLAYED_MAX)
    ).all()
    return _replay(session, ids, now=now)


def test(session: Session, *, webhook: Webhook, now: datetime) -> Logged:
    """
    Tell a webhook something that means nothing, to see whether it listens.

    Raises:
        WebhookDisabled: Nothing is sent there.
    """
    _require_active(webhook)
    facts = {"reference": webhook.code, "at": now.isoformat()}
    code = f"msg_{secrets.token_hex(16)}"
    session.execute(
        insert(Delivery).values(
            code=code,
            endpoint_id=webhook.id,
            type=TEST_TYPE,
            body=webhook_bodies.body(kind=TEST_TYPE, facts=facts, at=now),
            state=DeliveryState.WAITING.value,
            staged_at=now,
            due_at=now,
        )
    )
    return find(session, webhook=webhook, code=code)


def _logged(row: Row[Any]) -> Logged:
    return Logged(
        cursor=row.id,
        code=row.code,
        type=row.type,
        state=DeliveryState(row.state),
        staged_at=row.staged_at,
        due_at=row.due_at,
        tries=row.tries,
    )


def _require_active(webhook: Webhook) -> None:
    if webhook.state is not webhooks.EndpointState.ACTIVE:
        raise WebhookDisabled


def _replay(session: Session, ids: Sequence[int], *, now: datetime) -> int:
    """Begin anew with what has ended."""
    ended = (DeliveryState.DELIVERED.value, DeliveryState.FAILED.value, DeliveryState.MISSED.value)
    again = session.scalars(
        update(Delivery)
        .where(Delivery.id.in_(ids), Delivery.state.in_(ended))
        .values(
            state=DeliveryState.WAITING.value,
            due_at=now,
            tried_from=None,
            tries_before=Delivery.tries,
            ended_at=None,
        )
        .returning(Delivery.id)
    )
    return len(again.all())
