"""
Facts that must be acted on if this transaction commits. The core stages them; workers find words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    Index,
    Text,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base


class Category(StrEnum):
    """What sort of message tells of an event: how much it hurries, and whether one may opt out."""

    CODE = "code"
    """Somebody waits for it, phone in hand: it goes before everything else."""
    RECEIPT = "receipt"
    """What became of money or of an account: told whatever anybody has opted out of."""
    PROMOTIONAL = "promotional"
    """News: it goes last, many at once, and never to who has opted out."""


class Event(StrEnum):
    """What has happened, as far as somebody must be told; a receipt, unless it says otherwise."""

    category: Category

    def __new__(cls, value: str, category: Category = Category.RECEIPT) -> Self:
        """Give a member its category; its value is the word alone."""
        made = str.__new__(cls, value)
        made._value_ = value
        made.category = category
        return made

    REGISTERED = "registered"
    """A person opened an account."""
    TRANSFER_SENT = "transfer-sent"
    """The sender's receipt."""
    TRANSFER_RECEIVED = "transfer-received"
    """The recipient's receipt."""
    TRANSFER_REFUSED = "transfer-refused"
    """The ledger did not do what the sender ordered."""
    PAYMENT_SENT = "payment-sent"
    """The payer's receipt."""
    PAYMENT_RECEIVED = "payment-received"
    """The merchant's receipt."""
    PAYMENT_REFUSED = "payment-refused"
    """The ledger did not do what the payer ordered."""
    EXCHANGED = "exchanged"
    """The receipt of an exchange."""
    EXCHANGE_REFUSED = "exchange-refused"
    """The ledger did not exchange what was ordered."""
    TRANSFER_REVERSED = "transfer-reversed"
    """The sender has their money back."""
    TRANSFER_TAKEN_BACK = "transfer-taken-back"
    """The receiver no longer has it."""
    REVERSAL_DECLINED = "reversal-declined"
    """The sender asked for it back, in vain."""
    DEBT_COLLECTED = "debt-collected"
    """Told to the owner: staff took what they owed us from what they have."""
    TIER_SET = "tier-set"
    """Staff have decided how much somebody may move."""
    VOUCHERS_ISSUED = "vouchers-issued"
    """The receipt of who paid for vouchers."""
    VOUCHERS_REFUNDED = "vouchers-refunded"
    """Who paid for vouchers has the money of those that nobody redeemed."""
    VOUCHER_REDEEMED = "voucher-redeemed"
    """The receipt of who redeemed a voucher."""
    VOUCHER_REFUSED = "voucher-refused"
    """The ledger did not redeem the voucher that was ordered."""
    DEPOSIT_SETTLED = "deposit-settled"
    """Money came in from their own M-Pesa, or was paid to our paybill for them."""
    DEPOSIT_FAILED = "deposit-failed"
    """No money came in after a prompt."""
    DEPOSIT_EXPIRED = "deposit-expired"
    """We do not know yet whether money came in after a prompt."""
    DEPOSIT_IN_REVIEW = "deposit-in-review"
    """Staff must look at a deposit first."""
    TILL_RECEIVED = "till-received"
    """The merchant's receipt: somebody paid at their till from M-Pesa."""
    TILL_FAILED = "till-failed"
    """Told to the merchant: whoever was prompted did not pay."""
    WITHDRAWAL_REFUSED = "withdrawal-refused"
    """The ledger did not set aside what was to be paid out."""
    WITHDRAWAL_PAID = "withdrawal-paid"
    """The receipt of a withdrawal: it is on their phone."""
    WITHDRAWAL_FAILED = "withdrawal-failed"
    """It could not be paid out, and came back."""
    WITHDRAWAL_DELAYED = "withdrawal-delayed"
    """It takes longer than anybody expects; nothing is lost."""
    SETTLEMENT_PAID = "settlement-paid"
    """What a shop had taken is on its owner's M-Pesa."""
    HOLD_PLACED = "hold-placed"
    """The owner's receipt: money of theirs is set aside for a merchant."""
    HOLD_OFFERED = "hold-offered"
    """Told to the merchant who may take it."""
    HOLD_CAPTURED = "hold-captured"
    """Told to the owner: the merchant took it, or some of it."""
    HOLD_TAKEN = "hold-taken"
    """The merchant's receipt."""
    HOLD_RELEASED = "hold-released"
    """Told to the owner: the merchant gave it back."""
    HOLD_REFUSED = "hold-refused"
    """The ledger did not do with a hold what was ordered."""
    REFUND_SENT = "refund-sent"
    """The merchant's receipt of what they gave back."""
    REFUND_RECEIVED = "refund-received"
    """The payer has what they paid back, or a part of it."""
    REFUND_REFUSED = "refund-refused"
    """The ledger did not give back what the merchant ordered."""
    PIN_CHANGED = "pin-changed"
    """Told to the owner, who may not have done it."""
    PIN_LOCKED = "pin-locked"
    """Told to the owner, who may not have done it."""
    OTP_PIN_RESET = "otp-pin-reset", Category.CODE
    OTP_SMS_ORDER = "otp-sms-order", Category.CODE
    OTP_SIGN_UP = "otp-sign-up", Category.CODE
    OTP_LOG_IN = "otp-log-in", Category.CODE
    """A code that whoever asked must say again; `core.otp` has what it is good for."""
    RECOVERY_LOCKED = "recovery-locked"
    """Told to the owner: somebody could not say who they are."""
    NAME_CHANGED = "name-changed"
    """Told to the owner, who may not have done it."""
    ACCOUNT_CLOSED = "account-closed"
    """The last thing an owner hears of their account."""
    DEVICE_ADDED = "device-added"
    """Told to the owner, who may not have logged in."""
    DEVICE_COPIED = "device-copied"
    """Somebody has a copy of what a device was logged in by; it no longer is."""
    LOG_IN_LOCKED = "log-in-locked"
    """Told to the owner: who has their phone could not say the rest."""
    SECOND_FACTOR_SET = "second-factor-set"
    SECOND_FACTOR_REMOVED = "second-factor-removed"
    """Told to the owner, who may not have done it."""
    API_KEY_MADE = "api-key-made"
    """Told to the owner, who may not have done it."""
    WEBHOOK_SET = "webhook-set"
    """Told to the owner, who may not have done it: an address is told what becomes of money."""
    ISSUER_LINKED = "issuer-linked"
    """Told to the owner, who may not have done it."""
    SMS_ORDER_REFUSED = "sms-order-refused"
    """Money that was asked for by SMS does not move."""
    SMS_BALANCES = "sms-balances"
    SMS_MINI = "sms-mini"
    SMS_RATES = "sms-rates"
    SMS_HELP = "sms-help"
    SMS_STOPPED = "sms-stopped"
    SMS_STARTED = "sms-started"
    SMS_LANGUAGE_SET = "sms-language-set"
    SMS_UNCLEAR = "sms-unclear"
    """Somebody wrote us a keyword; this is its answer."""
    SMS_PIN_SENT = "sms-pin-sent"
    """Somebody wrote us what may be their PIN."""
    SMS_STRANGER = "sms-stranger"
    """Somebody without an account wrote to us."""
    ANNOUNCED = "announced", Category.PROMOTIONAL
    """Staff have news for many."""
    SMS_REFUSED = "sms-refused"
    SMS_NOT_UNDERSTOOD = "sms-not-understood"
    """Somebody wrote us an SMS we have no answer to."""
    WEBHOOK_DISABLED = "webhook-disabled"
    """Told to the owner: their program has taken nothing for days, so it is called no more."""


# What programs are told of, if their owner wants it, and by which name: what became of money. The
# rest is for people alone, and a code for one of them.
WEBHOOK_TYPES: Final[Mapping[Event, str]] = {
    Event.TRANSFER_SENT: "transfer.sent",
    Event.TRANSFER_RECEIVED: "transfer.received",
    Event.TRANSFER_REFUSED: "transfer.refused",
    Event.PAYMENT_SENT: "payment.sent",
    Event.PAYMENT_RECEIVED: "payment.received",
    Event.PAYMENT_REFUSED: "payment.refused",
    Event.REFUND_SENT: "refund.sent",
    Event.REFUND_RECEIVED: "refund.received",
    Event.REFUND_REFUSED: "refund.refused",
    Event.EXCHANGED: "exchange.done",
    Event.EXCHANGE_REFUSED: "exchange.refused",
    Event.TRANSFER_REVERSED: "reversal.received",
    Event.TRANSFER_TAKEN_BACK: "reversal.taken",
    Event.REVERSAL_DECLINED: "reversal.declined",
    Event.VOUCHERS_ISSUED: "vouchers.issued",
    Event.VOUCHERS_REFUNDED: "vouchers.refunded",
    Event.VOUCHER_REDEEMED: "voucher.redeemed",
    Event.VOUCHER_REFUSED: "voucher.refused",
    Event.DEPOSIT_SETTLED: "deposit.settled",
    Event.DEPOSIT_FAILED: "deposit.failed",
    Event.DEPOSIT_EXPIRED: "deposit.expired",
    Event.DEPOSIT_IN_REVIEW: "deposit.in-review",
    Event.TILL_RECEIVED: "till.received",
    Event.TILL_FAILED: "till.failed",
    Event.WITHDRAWAL_REFUSED: "withdrawal.refused",
    Event.WITHDRAWAL_PAID: "withdrawal.paid",
    Event.WITHDRAWAL_FAILED: "withdrawal.failed",
    Event.WITHDRAWAL_DELAYED: "withdrawal.delayed",
    Event.SETTLEMENT_PAID: "settlement.paid",
    Event.HOLD_PLACED: "hold.placed",
    Event.HOLD_OFFERED: "hold.offered",
    Event.HOLD_CAPTURED: "hold.captured",
    Event.HOLD_TAKEN: "hold.taken",
    Event.HOLD_RELEASED: "hold.released",
    Event.HOLD_REFUSED: "hold.refused",
}


class Outbox(Base):
    """
    An event that somebody must be told of.

    The relay rings for it at `ring_at`, and again later until it is done. `msisdn` and `language`
    say who and how when the person is not (or no longer) a subscriber. `category` is the event's.
    Where it has a `webhook_type`, a trigger makes a delivery for each endpoint of theirs that wants
    it (`core.webhooks`): whoever stages an event, no program's is forgotten.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "ix_outbox_undone",
            "ring_at",
            "id",
            postgresql_where=text("done_at IS NULL AND category <> 'promotional'"),
        ),
        Index(
            "ix_outbox_promotional",
            "ring_at",
            "id",
            postgresql_where=text("done_at IS NULL AND category = 'promotional'"),
        ),
        Index(
            "ix_outbox_answers",
            "msisdn",
            "staged_at",
            postgresql_where=text("event LIKE 'sms-%'"),
        ),
        Index(
            "ix_outbox_sms_refused",
            "msisdn",
            "staged_at",
            postgresql_where=text("event = 'sms-refused'"),
        ),
        Index(
            "ix_outbox_not_understood",
            "msisdn",
            "staged_at",
            postgresql_where=text("event = 'sms-not-understood'"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event: Mapped[str] = mapped_column(Text)
    msisdn: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    staged_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ring_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    category: Mapped[str] = mapped_column(Text, server_default=Category.RECEIPT.value)
    webhook_type: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Fact:
    """
    An event about to be staged.

    Args:
        event: What happened.
        msisdn: Who is to be told, in E.164.
        language: In which language.
        facts: What the words will mention; amounts in minor units of KES, instants in ISO 8601.
    """

    event: Event
    msisdn: str
    language: str
    facts: Mapping[str, Any]


# In the driver's own words, as `ledger.post` is: each movement of money stages two.
_STAGE = """
    INSERT INTO outbox
        (event, msisdn, language, facts, category, webhook_type, staged_at, ring_at)
    SELECT event, msisdn, language, facts, category, webhook_type, %s, %s
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::jsonb[], %s::text[], %s::text[])
        WITH ORDINALITY AS new (event, msisdn, language, facts, category, webhook_type, place)
    ORDER BY place
"""


def stage(session: Session, *, facts: Sequence[Fact], now: datetime) -> None:
    """Stage events with the caller's transaction; the relay is notified when it commits."""
    if not facts:
        return
    session.connection().exec_driver_sql(
        _STAGE,
        (
            now,
            now,
            [fact.event.value for fact in facts],
            [fact.msisdn for fact in facts],
            [fact.language for fact in facts],
            [json.dumps(dict(fact.facts)) for fact in facts],
            [fact.event.category.value for fact in facts],
            [WEBHOOK_TYPES.get(fact.event) for fact in facts],
        ),
    )


def times_told(session: Session, *, event: Event, msisdn: str, since: datetime) -> int:
    """How often somebody was told of such an event since an instant."""
    told = select(func.count()).where(
        Outbox.event == literal_column(f"'{event.value}'"),  # as the partial index has it
        Outbox.msisdn == msisdn,
        Outbox.staged_at > since,
    )
    return session.scalar(told) or 0


def answers_given(session: Session, *, msisdn: str, since: datetime) -> int:
    """How many answers to SMS somebody was given since an instant."""
    given = select(func.count()).where(
        text("event LIKE 'sms-%'"),  # as the partial index has it
        Outbox.msisdn == msisdn,
        Outbox.staged_at > since,
    )
    return session.scalar(given) or 0
