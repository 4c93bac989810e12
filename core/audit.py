"""
The audit log: who did what to what, from where. Append-only; the database refuses changes.

What moves money is in the book already, and who ordered it in `orders`. Here is the rest: what was
done to people's accounts, and what staff decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, DateTime, Identity, Index, Text, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base


class Action(StrEnum):
    """What can be done that is worth an account of it."""

    REGISTERED = "registered"
    LANGUAGE_SET = "language-set"
    PIN_SET = "pin-set"
    PIN_LOCKED = "pin-locked"
    OTP_TRIES_USED = "otp-tries-used"
    PIN_RECOVERED = "pin-recovered"
    RECOVERY_LOCKED = "recovery-locked"
    NAME_SET = "name-set"
    ACCOUNT_CLOSED = "account-closed"
    TIER_SET = "tier-set"
    PAPERS_SUBMITTED = "papers-submitted"
    LIFT_PROPOSED = "lift-proposed"
    LIFT_APPROVED = "lift-approved"
    LIFT_DECLINED = "lift-declined"
    LIST_LOADED = "list-loaded"
    CLEARING_PROPOSED = "clearing-proposed"
    CLEARING_DECLINED = "clearing-declined"
    HIT_CLEARED = "hit-cleared"
    CASE_OPENED = "case-opened"
    CASE_NOTED = "case-noted"
    CASE_CLOSED = "case-closed"
    CASE_REPORTED = "case-reported"
    TILL_OPENED = "till-opened"
    SHOP_DESCRIBED = "shop-described"
    DAILY_SETTLEMENT_SET = "daily-settlement-set"
    VOUCHERS_ISSUED = "vouchers-issued"
    VOUCHERS_PRINTED = "vouchers-printed"
    VOUCHERS_CANCELLED = "vouchers-cancelled"
    VOUCHER_TRIES_USED = "voucher-tries-used"
    STRANGERS_ASKED_FOR = "strangers-asked-for"
    REVERSAL_REQUESTED = "reversal-requested"
    REVERSAL_APPROVED = "reversal-approved"
    REVERSAL_DECLINED = "reversal-declined"
    DEBT_COLLECTED = "debt-collected"
    DEVICE_ADDED = "device-added"
    DEVICES_REMOVED = "devices-removed"
    LOG_IN_LOCKED = "log-in-locked"
    SECOND_FACTOR_SET = "second-factor-set"
    SECOND_FACTOR_REMOVED = "second-factor-removed"
    FACTOR_LOST = "factor-lost"
    FACTOR_LOSS_APPROVED = "factor-loss-approved"
    FACTOR_LOSS_DECLINED = "factor-loss-declined"
    API_KEY_MADE = "api-key-made"
    API_KEYS_REVOKED = "api-keys-revoked"
    ISSUER_LINKED = "issuer-linked"
    ISSUER_UNLINKED = "issuer-unlinked"
    STAFF_ADDED = "staff-added"
    STAFF_RESET = "staff-reset"
    STAFF_ENDED = "staff-ended"
    STAFF_LOGGED_IN = "staff-logged-in"
    STAFF_LOGGED_OUT = "staff-logged-out"
    STAFF_LOG_IN_FAILED = "staff-log-in-failed"
    STAFF_LOG_IN_COPIED = "staff-log-in-copied"
    LOOKED_AT = "looked-at"
    BREAK_CLOSED = "break-closed"
    STATEMENT_TAKEN = "statement-taken"
    ANNOUNCED = "announced"
    WEBHOOK_ADDED = "webhook-added"
    WEBHOOK_CHANGED = "webhook-changed"
    WEBHOOK_ROTATED = "webhook-rotated"
    WEBHOOK_REMOVED = "webhook-removed"
    WEBHOOK_DISABLED = "webhook-disabled"
    BREAKER_CLOSED = "breaker-closed"
    FLOAT_MOVED = "float-moved"
    SUSPENSE_CREDITED = "suspense-credited"
    SUSPENSE_RETURNING = "suspense-returning"
    SUSPENSE_STRUCK = "suspense-struck"
    SUSPENSE_DISMISSED = "suspense-dismissed"
    DEPOSIT_DECIDED = "deposit-decided"
    WITHDRAWAL_DECIDED = "withdrawal-decided"


@dataclass(frozen=True, slots=True)
class Actor:
    """
    Who does something, and by which door.

    Args:
        name: Whose doing it is: a number (E.164) of a subscriber, `staff:` and a name, or `system`.
        origin: Where they came in: `ussd`, `sms`, an address, or the name of a job.
        request: The session, request or job: with it, the logs tell the rest.
    """

    name: str
    origin: str
    request: str


class Record(Base):
    """One line of the audit log."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_subject", "subject", "id"),
        Index("ix_audit_log_actor", "actor", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    actor: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(Text)
    request: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)


def record(
    session: Session,
    *,
    actor: Actor,
    action: Action,
    subject: str,
    now: datetime,
    detail: Mapping[str, object] | None = None,
) -> None:
    """
    Keep for ever that somebody did something, in the transaction that does it.

    Args:
        session: The caller's transaction.
        actor: Who, and from where.
        action: What.
        subject: To what, as `subscriber:17` or `reversal:3`.
        now: When.
        detail: What else: what was, what is, the note. Never a secret.
    """
    session.execute(
        insert(Record).values(
            at=now,
            actor=actor.name,
            origin=actor.origin,
            request=actor.request,
            action=action.value,
            subject=subject,
            detail=dict(detail or {}),
        )
    )


def history(
    session: Session,
    *,
    subject: str | None = None,
    actor: str | None = None,
    action: Action | None = None,
    before: int | None = None,
    count: int = 50,
) -> Sequence[Record]:
    """What was done to something or by somebody, newest first; `before` is where to go on from."""
    found = select(Record)
    if subject is not None:
        found = found.where(Record.subject == subject)
    if actor is not None:
        found = found.where(Record.actor == actor)
    if action is not None:
        found = found.where(Record.action == action.value)
    if before is not None:
        found = found.where(Record.id < before)
    return session.scalars(found.order_by(Record.id.desc()).limit(count)).all()
