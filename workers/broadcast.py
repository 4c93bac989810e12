"""
Sending news: what is promotional, the same words to many in one request, behind everything else.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import Final

import structlog
from redis.exceptions import RedisError

from core import announcements, messages, sms_line
from core.db import transact
from core.messages import Sending
from core.outbox import Category
from core.subscribers import Language
from menus import notices
from workers import sending
from workers.resources import Resources, current

log = structlog.get_logger(__name__)

# A request of a hundred numbers stays well within what providers take.
BATCH_MAX: Final = 100
# However slow the provider is with each request, a job is no longer in the way of receipts.
_SECONDS_MAX: Final = 5.0


def send(**_: object) -> None:
    """
    Send what is promotional and due, as much as goes in a second; the relay rings for the rest.

    Nothing goes at night, nor while the credit is low or our sender id is refused.
    """
    have = current()
    now = have.clock()
    if not announcements.is_daytime(now):
        return
    try:
        # In trouble a batch shrinks: it may be its size that is too much at once.
        count_max = max(1, min(BATCH_MAX, have.pace.batch_max) >> have.pace.slowness())
        with have.databases() as session:
            line = sms_line.look(session, now=now)
            due = messages.count_promotional(session, count_max=count_max, now=now)
        if not due or not line.may_promote(least=have.credit_least):
            return
        if not have.pace.enter(Category.PROMOTIONAL, count=due, until=time.monotonic()):
            return
    except RedisError as error:
        log.warning("sms.pace_unknown", error=type(error).__name__)
        return
    begin = partial(messages.begin_promotional, count_max=due, now=now)
    batch = transact(have.databases, begin)
    with suppress(RedisError):
        have.pace.leave(due - len(batch))
    until = time.monotonic() + _SECONDS_MAX
    for text, group in _by_words(have, batch).items():
        if time.monotonic() < until:
            records = sending.send_many(have, group, text)
        else:
            records = sending.put_back(have, group, "there was no time left to send it")
        for record in records.values():
            transact(have.databases, record)


def _by_words(have: Resources, batch: list[Sending]) -> dict[str, list[Sending]]:
    """The messages of a batch by what they say; one that cannot be worded is failed."""
    found: dict[str, list[Sending]] = {}
    for message in batch:
        try:
            text = notices.words(message.event, message.facts, Language(message.language))
        except Exception:
            log.exception("sms.no_words", message=message.id, notice=message.event.value)
            why = "there are no words for it"
            failed = partial(messages.failed, message=message, why=why, now=have.clock())
            transact(have.databases, failed)
        else:
            found.setdefault(text, []).append(message)
    return found
