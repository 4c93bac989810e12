"""
Sending what was staged, and understanding what came back.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

import structlog
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from core import inbox, messages, otp, seal
from core.db import is_of_the_database, transact
from core.delivery_reports import State
from core.inbox import Kind, Letter
from core.messages import Sending
from core.otp_codes import OtpKey
from core.outbox import Category, Event
from core.subscribers import Language
from menus import notices
from workers import letters, reading, sending
from workers.resources import Resources, current

log = structlog.get_logger(__name__)

# Sending is waiting: one slow answer must not hold up everybody's receipts.
HANDS: Final = 8
# For so long a job waits for its turn; what has none by then is rung for again.
_PATIENCE_SECONDS: Final = 5.0

_WORD_MAX: Final = 100

# developers.africastalking.com, SMS delivery reports. A status not listed here is kept, and says no
# more than that the provider has the message.
_STATES: Final[Mapping[str, State]] = {
    "Sent": State.SENT,
    "Submitted": State.SENT,
    "Buffered": State.SENT,
    "Success": State.DELIVERED,
    "Failed": State.FAILED,
    "Rejected": State.FAILED,
    "AbsentSubscriber": State.FAILED,
    "Expired": State.FAILED,
}


# The receipts that carry the seal of their journal, by which the log can be asked. Others name the
# journal in their facts, as it has no reference of its own.
SEALED: Final = frozenset(
    {
        Event.TRANSFER_SENT,
        Event.TRANSFER_RECEIVED,
        Event.PAYMENT_SENT,
        Event.PAYMENT_RECEIVED,
        Event.REFUND_SENT,
        Event.REFUND_RECEIVED,
        Event.EXCHANGED,
        Event.VOUCHER_REDEEMED,
        Event.DEPOSIT_SETTLED,
        Event.TILL_RECEIVED,
        Event.WITHDRAWAL_PAID,
        Event.SETTLEMENT_PAID,
        Event.HOLD_PLACED,
        Event.HOLD_CAPTURED,
        Event.HOLD_TAKEN,
        Event.HOLD_RELEASED,
    }
)


def deliver(*, ids: Sequence[int], category: str = Category.RECEIPT.value, **_: object) -> None:
    """Send the messages of outbox rows. Twice is as once: a message is claimed before it goes."""
    have = current()
    until = time.monotonic() + _PATIENCE_SECONDS
    one = partial(_deliver, have, category=Category(category), until=until)
    with ThreadPoolExecutor(max_workers=min(HANDS, max(len(ids), 1))) as hands:
        for _done in hands.map(one, ids):
            pass


def understand(*, ids: Sequence[int], **_: object) -> None:
    """Act on what providers told us, each letter in a transaction of its own."""
    have = current()
    reading.each(have, ids, partial(_understand, have))


def take_in(*, ids: Sequence[int], **_: object) -> None:
    """Take in delivery reports, many in one transaction; where one is at fault, each alone."""
    have = current()
    try:
        transact(have.databases, partial(_take_in, have, ids))
    except Exception as error:
        if is_of_the_database(error):
            raise
        understand(ids=ids)


def _take_in(have: Resources, ids: Sequence[int], session: Session) -> None:
    now = have.clock()
    lot = inbox.take_lot(session, letters=ids)
    # Two workers lock the same messages in the same order.
    for told in sorted(lot, key=lambda letter: letter.form["id"]):
        _report(session, told, now=now)
    inbox.close(session, *(told.id for told in lot), now=now)


def _deliver(have: Resources, outbox_id: int, *, category: Category, until: float) -> None:
    try:
        if not have.pace.enter(category, until=until):
            return  # the relay rings again
    except RedisError as error:
        log.warning("sms.pace_unknown", error=type(error).__name__)
        return
    begin = partial(_begin, outbox_id=outbox_id, key=have.otp_key, now=have.clock())
    message = transact(have.databases, begin)
    if message is None:
        with suppress(RedisError):
            have.pace.leave()
        return
    try:
        text = notices.words(message.event, message.facts, Language(message.language))
    except Exception:
        log.exception("sms.no_words", message=message.id, notice=message.event.value)
        why = "there are no words for it"
        record: sending.Record = partial(
            messages.failed, message=message, why=why, now=have.clock()
        )
    else:
        record = sending.send(have, message, text)
    transact(have.databases, record)


def _begin(session: Session, *, outbox_id: int, key: OtpKey, now: datetime) -> Sending | None:
    """Claim a message; a receipt is given its seal, and a code's message its code."""
    message = messages.begin(session, outbox_id=outbox_id, now=now)
    if message is not None and "otp" in message.facts:
        return _with_code(session, message, key, now=now)
    if message is not None and "journal" in message.facts:
        message.facts["seal"] = seal.seal_of(session, journal=message.facts["journal"])
    elif message is not None and message.event in SEALED:
        message.facts["seal"] = seal.seal_of(session, reference=message.facts["reference"])
    return message


def _with_code(session: Session, message: Sending, key: OtpKey, *, now: datetime) -> Sending | None:
    """Derive the code that a message tells; one that is no longer good is not sent at all."""
    code = otp.code_of(session, otp=message.facts["otp"], key=key, now=now)
    if code is None:
        messages.failed(session, message=message, why="the code is over", now=now)
        return None
    return replace(message, facts=message.facts | {"code": code})


def _understand(have: Resources, letter: int, session: Session) -> None:
    now = have.clock()
    told = inbox.take(session, letter=letter)
    if told is None:
        return
    match told.kind:
        case Kind.SMS_DELIVERY:
            _report(session, told, now=now)
        case Kind.SMS_INBOUND:
            letters.understand(session, told, have=have, now=now)
        case Kind.SMS_OPTOUT:
            letters.opt_out(session, told)
        case Kind.SMS_SUBSCRIPTION:
            letters.subscription(session, told)
    inbox.close(session, letter, now=now)


def _report(session: Session, told: Letter, *, now: datetime) -> None:
    status = told.form["status"]
    if status not in _STATES:
        log.warning("sms.status_unknown", status=status[:40])
    messages.report(
        session,
        provider_id=told.form["id"],
        state=_STATES.get(status, State.SENT),
        why=told.form.get("failureReason") or None,
        status=status[:_WORD_MAX],
        now=now,
    )
