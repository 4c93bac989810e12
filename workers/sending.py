"""
Handing messages to the provider: what is called, what became of it, and what that says of the line.

No transaction is open during a call. Whatever becomes of it is one of five, and each is recorded
for the message it concerns: sent, rejected, blocked, unreachable, unknown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from core import messages, sms_line
from core.db import transact
from core.messages import Sending, Source
from menus import gsm7
from workers.errors import Blocked, CallFailed, Rejected, Unknown, Unreachable
from workers.resources import Resources
from workers.sms import Receipt
from workers.sms.africastalking import BAD_KEY, BAD_URL, BLACKLISTED, INVALID_SENDER, NO_CREDIT

log = structlog.get_logger(__name__)

# While staff have something to mend, one message a minute goes to see whether they have.
_BLOCKED_SECONDS: Final = 60.0

# What stops receipts as well as news; that our sender id is refused stops news alone.
_PAUSES: Final = frozenset({NO_CREDIT, BAD_KEY, BAD_URL})

# Letters of 16 bits in a message of one part, and in each of several (3GPP TS 23.040).
_WIDE_MAX: Final = 70
_WIDE_PART_MAX: Final = 67

Told = Receipt | CallFailed
Record = Callable[[Session], None]


def send(have: Resources, message: Sending, text: str) -> Record:
    """
    Send one message; return what to record of it.

    Where our sender id is refused, which is before anything went, it goes once more, at once, from
    the provider's shared sender: a receipt from nobody is better than none.
    """
    as_shared = message.as_shared
    told = _told(partial(have.sender.send, to=message.msisdn, text=text, as_shared=as_shared))
    if _is_sender_refused(have, told) and not as_shared:
        _refuse_sender(have)
        told = _told(partial(have.sender.send, to=message.msisdn, text=text, as_shared=True))
    _tell_the_line(have, [told], pauses_on={INVALID_SENDER, *_PAUSES})
    return record(message, told, text, now=have.clock())


def send_many(have: Resources, batch: Sequence[Sending], text: str) -> Mapping[int, Record]:
    """
    Send one text to all of a batch in one request; return what to record, by the message's id.

    Each has an outcome of its own; one in doubt as a whole is in doubt for everybody in it. News
    does not go out from a shared sender: where ours is refused it waits.
    """
    told: Mapping[str, Told]
    try:
        told = have.sender.send_many(to=[message.msisdn for message in batch], text=text)
    except Unreachable as failure:
        log.warning("sms.unreachable", messages=len(batch))
        _tell_the_line(have, [failure], pauses_on=_PAUSES)
        return put_back(have, batch, failure.why)
    except CallFailed as failure:
        told = dict.fromkeys((message.msisdn for message in batch), failure)
    if any(_is_sender_refused(have, each) for each in told.values()):
        _refuse_sender(have)
    _tell_the_line(have, list(told.values()), pauses_on=_PAUSES)
    now = have.clock()
    return {message.id: record(message, told[message.msisdn], text, now=now) for message in batch}


def put_back(have: Resources, batch: Sequence[Sending], why: str) -> Mapping[int, Record]:
    """Keep a batch that did not go for later. No message of it has used up a try of its own."""
    keep = partial(messages.blocked, why=why, now=have.clock())
    return {message.id: partial(keep, message=message) for message in batch}


def record(message: Sending, told: Told, text: str, *, now: datetime) -> Record:
    """
    Log what became of a message; return what records it.

    Its parts are counted here where the provider does not tell, and nothing says that it must.
    """
    about: dict[str, object] = {"message": message.id, "notice": message.event.value}
    if isinstance(told, Receipt):
        log.info("sms.sent", **about)
        return partial(
            messages.sent,
            message=message,
            provider_id=told.provider_id,
            parts=told.parts or _parts(text),
            cost=told.cost,
            now=now,
        )
    if isinstance(told, Blocked):
        log.error("sms.blocked", code=told.code, **about)
        return partial(messages.blocked, message=message, why=told.why, now=now)
    if isinstance(told, Rejected):
        level = logging.ERROR if told.alert else logging.WARNING
        log.log(level, "sms.rejected", code=told.code, **about)
        return partial(_reject, message=message, error=told, now=now)
    if isinstance(told, Unreachable):
        log.warning("sms.unreachable", **about)
        after = told.retry_after_seconds
        return partial(
            messages.unreachable,
            message=message,
            why=told.why,
            retry_after=None if after is None else timedelta(seconds=after),
            now=now,
        )
    log.warning("sms.unknown", **about)
    return partial(messages.unknown, message=message, why=told.why, now=now)


def _parts(text: str) -> int:
    """How many SMS a text is charged as, in 16 bits a letter where GSM-7 lacks one."""
    try:
        return gsm7.parts(text)
    except ValueError:
        units = len(text.encode("utf-16-be", "replace")) // 2
        return 1 if units <= _WIDE_MAX else -(-units // _WIDE_PART_MAX)


def _reject(session: Session, *, message: Sending, error: Rejected, now: datetime) -> None:
    """Record a rejection; whom their network keeps news from is sent none by us either."""
    messages.rejected(session, message=message, why=error.why, now=now)
    if error.code == BLACKLISTED:
        messages.opt_out(session, msisdn=message.msisdn, source=Source.NETWORK, at=now)


def _told(call: Callable[[], Receipt]) -> Told:
    try:
        return call()
    except CallFailed as failure:
        return failure


def _is_trouble(told: Told) -> bool:
    """
    Whether the provider is not well. One that says nothing least of all: each message handed to it
    meanwhile is one whose fate nobody knows.
    """
    return isinstance(told, Unreachable) or (isinstance(told, Unknown) and told.is_silence)


def _is_sender_refused(have: Resources, told: Told) -> bool:
    return have.sender.has_sender_id and isinstance(told, Blocked) and told.code == INVALID_SENDER


def _refuse_sender(have: Resources) -> None:
    log.error("sms.sender_refused")
    transact(have.databases, partial(sms_line.refuse_sender, now=have.clock()))


def _tell_the_line(have: Resources, told: Sequence[Told], *, pauses_on: AbstractSet[str]) -> None:
    """
    Let the pace, and what is known of the credit, follow from what the provider says.

    Args:
        have: What the job works with.
        told: What became of the messages of one request.
        pauses_on: The codes of what blocks every message, and not only such as these.
    """
    if any(isinstance(each, Blocked) and each.code == NO_CREDIT for each in told):
        transact(have.databases, partial(sms_line.run_out, now=have.clock()))
    with suppress(RedisError):  # what became of the message is recorded all the same
        if any(isinstance(each, Blocked) and each.code in pauses_on for each in told):
            have.pace.slow_down(least_seconds=_BLOCKED_SECONDS)
        elif trouble := [each for each in told if _is_trouble(each)]:
            asked = [each.retry_after_seconds for each in trouble if isinstance(each, Unreachable)]
            have.pace.slow_down(least_seconds=max((each or 0.0 for each in asked), default=0.0))
        elif not any(isinstance(each, Unknown) for each in told):
            have.pace.speed_up()
