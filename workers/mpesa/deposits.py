"""
Prompting payers, and asking how their prompts ended.

A prompt has no identifier of ours: one that may have gone out is never sent again. What tells then
how it ended is its callback, whose address is its own, or the payment it makes to our paybill.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from functools import partial
from typing import Final

import structlog

from core import deposits
from core.db import transact
from core.deposits import Asking
from workers.daraja import codes
from workers.daraja.client import Ending
from workers.daraja.line import Hurry, Line
from workers.errors import Blocked, CallFailed, Rejected, Unknown
from workers.mpesa import hands
from workers.resources import Resources, current
from workers.ringing import Job

log = structlog.get_logger(__name__)

_LOT: Final = 100


def prompt(**_: object) -> None:
    """Send the prompts that are due. Twice is as once: each is claimed before it goes."""
    have = current()
    if have.mpesa is None:
        return
    have.heard(Job.PROMPT)
    with have.databases() as session:
        if not have.anchor.holds(session):
            return
        due = deposits.due(session, now=have.clock(), deposits_max=_LOT)
    hands.each(partial(_prompt, have, have.mpesa), due, job="prompt")


def ask(**_: object) -> None:
    """Ask how prompts ended of which nobody has told us. Twice is as once, but for the asking."""
    have = current()
    if have.mpesa is None:
        return
    have.heard(Job.ASK)
    with have.databases() as session:
        if not have.anchor.holds(session):
            return
        doubtful = deposits.doubtful(session, now=have.clock(), deposits_max=_LOT)
    hands.each(partial(_ask, have, have.mpesa), doubtful, job="ask")


def _prompt(have: Resources, line: Line, deposit: int, *, until: float) -> None:
    if not line.has_turn(Hurry.MONEY, until=until):
        return  # the relay rings again
    token = secrets.token_hex(16)
    digest = hashlib.sha256(token.encode()).digest()
    begin = partial(deposits.begin, deposit=deposit, token_hash=digest, now=have.clock())
    found = have.do_with_money(begin)
    if found is None:
        line.leave()
        return
    call = partial(
        line.client.prompt,
        payer=found.payer,
        amount=found.amount,
        reference=found.reference,
        token=token,
    )
    about = {"deposit": deposit}
    try:
        checkout = line.prompt(call, Hurry.MONEY, until=until)
    except Unknown as failure:
        log.warning("mpesa.prompt_unsure", why=failure.why, **about)
        told = partial(deposits.unsure, why=failure.why)
    except CallFailed as failure:
        # A prompt that comes late is worse than none: whoever asked is told, and may ask again.
        level = logging.ERROR if _is_ours(failure) else logging.WARNING
        log.log(level, "mpesa.prompt_refused", why=failure.why, **about)
        told = partial(deposits.rejected, code=_code(failure), why=failure.why)
    else:
        log.info("mpesa.prompted", **about)
        told = partial(deposits.prompted, provider_ref=checkout)
    transact(have.databases, partial(told, deposit=deposit, now=have.clock()))


def _is_ours(failure: CallFailed) -> bool:
    return isinstance(failure, Blocked) or (isinstance(failure, Rejected) and failure.alert)


def _code(failure: CallFailed) -> str:
    return failure.code if isinstance(failure, Rejected | Blocked) else "Unreachable"


def _ask(have: Resources, line: Line, asking: Asking, *, until: float) -> None:
    if not line.has_turn(Hurry.QUESTION, until=until):
        return
    transact(have.databases, partial(deposits.asked, deposit=asking.id, now=have.clock()))
    try:
        ending = line.call(partial(line.client.ask, checkout=asking.provider_ref))
    except CallFailed as failure:
        # "Being processed", "does not exist" and silence alike: none of them says that it failed.
        log.info("mpesa.not_told", deposit=asking.id, why=failure.why)
        return
    if ending is not None:
        _believe(have, asking, ending)


def _believe(have: Resources, asking: Asking, ending: Ending) -> None:
    now, about = have.clock(), {"deposit": asking.id, "code": ending.code}
    if ending.code == codes.PAID:
        settle = partial(
            deposits.settle,
            deposit=asking.id,
            receipt=None,
            told=None,
            payer=None,
            provider_ref=asking.provider_ref,
            confirmed=True,
            now=now,
        )
        settled = have.do_with_money(settle)
        if settled is not None:
            log.info("mpesa.deposit_paid", came=settled.came.value, **about)
    elif ending.code in codes.FAILED_PROMPTS:
        why = codes.FAILED_PROMPTS[ending.code]
        fail = partial(deposits.fail, deposit=asking.id, code=ending.code, why=why, now=now)
        have.do_with_money(fail)
        log.info("mpesa.deposit_not_paid", **about)
    elif ending.code not in codes.PENDING_PROMPTS:
        log.error("mpesa.code_unknown", **about)
