"""
Looking after the line to the provider of SMS: what credit is left, and how long the queue is.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import structlog
from redis.exceptions import RedisError

from core import sms_figures, sms_line
from core.db import transact
from core.sms_line import News
from workers.errors import CallFailed
from workers.resources import Resources, current

log = structlog.get_logger(__name__)


def look(**_: object) -> None:
    """Ask for the credit, alert staff when it is low, and log how the queue stands."""
    have = current()
    _ask(have)
    with have.databases() as session:
        waiting = sms_figures.waiting(session, now=have.clock())
    try:
        slowness, pause = have.pace.slowness(), have.pace.pause_seconds()
    except RedisError as error:
        log.warning("sms.pace_unknown", error=type(error).__name__)
        return
    log.info(
        "sms.queue",
        codes=waiting.codes,
        receipts=waiting.receipts,
        promotional=waiting.promotional,
        oldest_seconds=round(waiting.oldest.total_seconds()),
        slowness=slowness,
        pause_seconds=round(pause),
    )


def _ask(have: Resources) -> None:
    try:
        credit = have.sender.credit()
    except CallFailed as failure:
        log.warning("sms.credit_not_told", why=failure.why)
        return
    tell = partial(sms_line.tell_credit, credit=credit, least=have.credit_least, now=have.clock())
    match transact(have.databases, tell):
        case News.LOW:
            log.error("sms.credit_low", credit=str(credit), least=str(have.credit_least))
        case News.BACK:
            log.info("sms.credit_back", credit=str(credit))
            with suppress(RedisError):
                have.pace.resume()
