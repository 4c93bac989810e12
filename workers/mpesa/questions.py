"""
Questions whose answers call back, each to an address of its own.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final, Protocol

import structlog
from sqlalchemy.orm import Session

from core import inquiries, resolutions
from core.db import Databases, transact
from core.inquiries import Kind
from core.money import Money
from workers.daraja.line import Line
from workers.errors import CallFailed, Unknown
from workers.mpesa.breaker import bars_questions

log = structlog.get_logger(__name__)

# What a question is about, as the first part of its subject.
WITHDRAWAL: Final = "withdrawal"
PAYBILL: Final = "paybill"
REVERSAL: Final = "reversal"
FLOAT: Final = "float"


class Asker(Protocol):
    """What asking needs: workers have more, the desk has no more."""

    @property
    def databases(self) -> Databases: ...

    @property
    def clock(self) -> Callable[[], datetime]: ...


def status(
    have: Asker,
    line: Line,
    *,
    subject: str,
    conversation: str | None = None,
    receipt: str | None = None,
    also: Callable[[Session], object] = lambda _: None,
) -> bool:
    """Ask what became of a payment, by our identifier of it or by its receipt."""
    call = partial(line.client.status, conversation=conversation, receipt=receipt)
    return _put(have, line, Kind.STATUS, subject, call, also=also)


def balance(have: Asker, line: Line, *, of_payouts: bool) -> bool:
    """Ask what an account of ours holds."""
    account = line.client.account
    subject = f"{FLOAT}:{account.payout_shortcode if of_payouts else account.shortcode}"
    call = partial(line.client.balance, of_payouts=of_payouts)
    return _put(have, line, Kind.BALANCE, subject, call)


def reversal(have: Asker, line: Line, *, case: int, receipt: str, amount: Money) -> bool:
    """
    Have a payment to us, which stands in suspense as a case, given back.

    Raises:
        SuspenseClosed: It is not to be any more.
    """
    call = partial(line.client.reverse, receipt=receipt, amount=amount)
    also = partial(resolutions.require_returning, case=case)
    return _put(have, line, Kind.REVERSAL, f"{REVERSAL}:{case}", call, also=also)


def of_reversal(have: Asker, line: Line, *, case: int, inquiry: int, conversation: str) -> bool:
    """Ask what became of a reversal that was taken, and whose answer never came."""
    call = partial(line.client.status, conversation=conversation, of_payouts=False)
    return _put(have, line, Kind.STATUS, f"{REVERSAL}:{case}:{inquiry}", call)


def _put(
    have: Asker,
    line: Line,
    kind: Kind,
    subject: str,
    call: Callable[..., str | None],
    *,
    also: Callable[[Session], object] = lambda _: None,
) -> bool:
    """
    Write a question down, commit, ask it; whether it was taken, or may have been.

    Its answer may be there before this is. While our initiator is broken nothing is asked.
    """
    token = secrets.token_hex(16)
    digest = hashlib.sha256(token.encode()).digest()

    def begin(session: Session) -> int | None:
        if bars_questions(session, now=have.clock()):
            return None
        also(session)
        return inquiries.ask(
            session, kind=kind, subject=subject, token_hash=digest, now=have.clock()
        )

    inquiry = transact(have.databases, begin)
    if inquiry is None:
        log.warning("mpesa.question_barred", subject=subject)
        return False
    try:
        provider_ref = line.call(partial(call, token=token))
    except Unknown as failure:  # it may be answered all the same
        log.warning("mpesa.question_unsure", subject=subject, why=failure.why)
        return True
    except CallFailed as failure:
        log.warning("mpesa.question_not_taken", subject=subject, why=failure.why)
        failed = partial(inquiries.failed, inquiry=inquiry, why=failure.why, now=have.clock())
        transact(have.databases, failed)
        return False
    transact(have.databases, partial(inquiries.asked, inquiry=inquiry, provider_ref=provider_ref))
    return True
