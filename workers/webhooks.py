"""
Delivering webhooks: many at once, and nobody behind somebody who does not answer.

Endpoints that failed when they were last called have hands of their own, and few: however many they
are, those that answer keep theirs.
"""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Final

import structlog

from core import webhook_calls, webhook_ends, webhooks
from core.at_rest import Unreadable
from core.db import transact
from core.webhook_calls import Call
from core.webhook_ends import Heard
from workers.resources import Resources, current

log = structlog.get_logger(__name__)

HANDS: Final = 12
HANDS_FOR_FAILING: Final = 4
# For so long a job takes up calls; the last of them are then waited for, and the relay rings again.
_SECONDS_MAX: Final = 20.0
_LOOK_AGAIN_SECONDS: Final = 0.2


def deliver(**_: object) -> None:
    """Make the calls that are due. Twice is as once: a call is claimed, and committed, before."""
    have = current()
    until = time.monotonic() + _SECONDS_MAX
    lanes: dict[bool, set[Future[None]]] = {False: set(), True: set()}
    unrecorded: BaseException | None = None
    with ThreadPoolExecutor(max_workers=HANDS + HANDS_FOR_FAILING) as hands:
        while True:
            for failing, under_way in lanes.items():
                free = (HANDS_FOR_FAILING if failing else HANDS) - len(under_way)
                if free and time.monotonic() < until:
                    for call in _claim(have, failing=failing, calls_max=free):
                        under_way.add(hands.submit(_make, have, call))
            if not any(lanes.values()):
                break
            done, _rest = wait(
                set().union(*lanes.values()),
                timeout=_LOOK_AGAIN_SECONDS,
                return_when=FIRST_COMPLETED,
            )
            for under_way in lanes.values():
                under_way.difference_update(done)
            for each in done:
                unrecorded = each.exception() or unrecorded
    if unrecorded is not None:  # the others were called first
        raise unrecorded


def clear(**_: object) -> None:
    """Forget deliveries that ended long ago."""
    have = current()
    cleared = transact(have.databases, partial(webhook_calls.clear, now=have.clock()))
    if cleared:
        log.info("webhooks.cleared", deliveries=cleared)


def _claim(have: Resources, *, failing: bool, calls_max: int) -> list[Call]:
    return transact(
        have.databases,
        partial(webhook_calls.claim, failing=failing, calls_max=calls_max, now=have.clock()),
    )


def _make(have: Resources, call: Call) -> None:
    """
    Make a call and record what became of it.

    Whatever goes wrong with one call is its own failure: it must not end the job for all others.
    """
    if call.is_over_and_over:
        heard = Heard(0, why="interrupted again and again")
    else:
        try:
            heard = _heard(have, call)
        except Exception:
            log.exception("webhooks.call_broke", delivery=call.delivery, endpoint=call.endpoint)
            heard = Heard(0, why="the call broke off on our side")
    record = partial(webhook_ends.record, call=call, heard=heard, now=have.clock())
    transact(have.databases, record)
    log.info(
        "webhooks.called",
        delivery=call.delivery,
        attempt=call.number,
        status=heard.status,
        taken=heard.is_taken,
        ms=heard.duration_ms,
    )


def _heard(have: Resources, call: Call) -> Heard:
    try:
        purpose = webhooks.purpose(call.owner)
        secrets = [have.chest.open(locked, purpose=purpose) for locked in call.secrets]
    except Unreadable:
        log.error("webhooks.secret_unreadable", endpoint=call.endpoint)  # noqa: TRY400 - no secret
        return Heard(0, why="we could not sign it")
    return have.webhooks.call(
        url=call.url, code=call.code, body=call.body, secrets=secrets, now=have.clock()
    )
