"""
Paying out, and asking what became of payouts.

A payout has one identifier of ours for ever, committed before the call. Doubt is asked about under
that identifier; only what Safaricom says again and again that it never saw is sent again, under the
same one.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import timedelta
from functools import partial
from typing import Final

import structlog
from sqlalchemy.orm import Session

from core import rails, withdrawals
from core.db import transact
from core.rails import Provider
from core.withdrawals import Asking, Payout
from workers.daraja import answers
from workers.daraja.line import Hurry, Line
from workers.errors import Blocked, CallFailed, Rejected, Unreachable
from workers.mpesa import hands, questions
from workers.mpesa.breaker import may_ask, trip
from workers.mpesa.questions import WITHDRAWAL
from workers.resources import Resources, current
from workers.ringing import Job

log = structlog.get_logger(__name__)

_LOT: Final = 100
_AGAIN: Final = timedelta(seconds=30)
# What most likely only staff can mend is tried again by one payout after this. It may have been no
# more than two tokens that ended one after the other; and a key that is wrong locks nothing.
_BLOCKED: Final = timedelta(minutes=2)


def pay(**_: object) -> None:
    """Send the payouts that are due. Twice is as once: each is claimed before it goes."""
    have = current()
    if have.mpesa is None:
        return
    have.heard(Job.PAY)
    with have.databases() as session:
        if not have.anchor.holds(session):
            return
        if rails.breaker(session, provider=Provider.MPESA, now=have.clock()) is not None:
            return
        due = withdrawals.due(session, now=have.clock(), withdrawals_max=_LOT)
    hands.each(partial(_pay, have, have.mpesa), due, job="pay")


def resolve(**_: object) -> None:
    """Ask what became of payouts of which nobody has told us. The answers call back."""
    have = current()
    if have.mpesa is None:
        return
    have.heard(Job.RESOLVE)
    with have.databases() as session:
        if not may_ask(have, session):
            return
        doubtful = withdrawals.doubtful(session, now=have.clock(), withdrawals_max=_LOT)
    hands.each(partial(_resolve, have, have.mpesa), doubtful, job="resolve")


def _pay(have: Resources, line: Line, withdrawal: int, *, until: float) -> None:
    if not line.has_turn(Hurry.MONEY, until=until):
        return
    token = secrets.token_hex(16)
    digest = hashlib.sha256(token.encode()).digest()
    begin = partial(withdrawals.begin, withdrawal=withdrawal, token_hash=digest, now=have.clock())
    found = have.do_with_money(begin)
    if found is None:
        line.leave()
        return
    call = partial(
        line.client.pay,
        payee=found.payee,
        amount=found.amount,
        conversation=found.conversation,
        token=token,
    )
    about = {"withdrawal": withdrawal, "is_again": found.is_again}
    try:
        provider_ref = line.call(call)
    except CallFailed as failure:
        species = type(failure).__name__
        is_ours = isinstance(failure, Rejected) and failure.alert
        level = logging.ERROR if is_ours else logging.WARNING
        log.log(level, "mpesa.payout_not_taken", species=species, why=failure.why, **about)
        have.do_with_money(partial(_keep_failure, have, found, failure))
        return
    log.info("mpesa.payout_sent", **about)
    sent = partial(
        withdrawals.sent, withdrawal=withdrawal, provider_ref=provider_ref, now=have.clock()
    )
    transact(have.databases, sent)


def _keep_failure(have: Resources, found: Payout, failure: CallFailed, session: Session) -> None:
    now = have.clock()
    match failure:
        case Blocked(code=code, why=why) | Rejected(code=answers.INVALID as code, why=why):
            # What is invalid but payee and amount is the same in every payout: ours to mend.
            until = now + _BLOCKED
            withdrawals.postpone(session, withdrawal=found.id, until=until, why=why)
            trip(session, code=code, why=why, now=now, lasts=_BLOCKED)
        case Rejected(code=code, why=why):
            withdrawals.rejected(session, withdrawal=found.id, code=code, why=why, now=now)
        case Unreachable(why=why, retry_after_seconds=seconds):
            after = max(_AGAIN, timedelta(seconds=seconds or 0))
            withdrawals.postpone(session, withdrawal=found.id, until=now + after, why=why)
        case _:
            withdrawals.unsure(session, withdrawal=found.id, why=failure.why, now=now)


def _resolve(have: Resources, line: Line, asking: Asking, *, until: float) -> None:
    if not line.has_turn(Hurry.QUESTION, until=until):
        return
    questions.status(
        have,
        line,
        subject=f"{WITHDRAWAL}:{asking.id}",
        conversation=asking.conversation,
        also=partial(withdrawals.asked, withdrawal=asking.id, now=have.clock()),
    )
