"""
Asking whether payments to our paybill are what we were told they are, and giving them back.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from core import inquiries, paybill
from core.inquiries import Kind
from workers.daraja.line import Hurry, Line
from workers.mpesa import hands, questions
from workers.mpesa.breaker import bars_questions
from workers.resources import Resources, current
from workers.ringing import Job

log = structlog.get_logger(__name__)

_LOT: Final = 100
# The same is asked again after this.
AGAIN_AFTER: Final = timedelta(minutes=2)


def confirm(**_: object) -> None:
    """Ask about payments that were told, and are too big to be believed. Twice is as once."""
    have = current()
    if have.mpesa is None:
        return
    have.heard(Job.CONFIRM)
    hands.each(partial(_confirm, have, have.mpesa), unasked(have), job="confirm")


def unasked(have: Resources) -> list[str]:
    """Receipts that must be asked about, and were not just now."""
    now = have.clock()
    with have.databases() as session:
        if bars_questions(session, now=now):
            return []
        receipts = paybill.unconfirmed(session, now=now, payments_max=_LOT)
        asked = {
            receipt: inquiries.newest(
                session, subject=f"{questions.PAYBILL}:{receipt}", kind=Kind.STATUS
            )
            for receipt in receipts
        }
    return [
        receipt
        for receipt, newest in asked.items()
        if newest is None or newest.asked_at <= now - AGAIN_AFTER
    ]


def _confirm(have: Resources, line: Line, receipt: str, *, until: float) -> None:
    if line.has_turn(Hurry.QUESTION, until=until):
        questions.status(have, line, subject=f"{questions.PAYBILL}:{receipt}", receipt=receipt)
