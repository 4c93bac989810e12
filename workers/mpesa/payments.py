"""
Asking whether payments to our paybill are what we were told they are, and giving them back.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from core import paybill
from workers.daraja.line import Hurry, Line
from workers.mpesa import hands, questions
from workers.mpesa.breaker import may_ask
from workers.resources import Resources, current
from workers.ringing import Job

_LOT: Final = 100


def confirm(**_: object) -> None:
    """Ask about payments that were told, and are too big to be believed. Twice is as once."""
    have = current()
    if have.mpesa is None:
        return
    have.heard(Job.CONFIRM)
    hands.each(partial(_confirm, have, have.mpesa), _due(have), job="confirm")


def _due(have: Resources) -> list[str]:
    with have.databases() as session:
        if not may_ask(have, session):
            return []
        return paybill.unconfirmed(session, now=have.clock(), payments_max=_LOT)


def _confirm(have: Resources, line: Line, receipt: str, *, until: float) -> None:
    if not line.has_turn(Hurry.QUESTION, until=until):
        return
    questions.status(
        have,
        line,
        subject=f"{questions.PAYBILL}:{receipt}",
        receipt=receipt,
        also=partial(paybill.asked, receipt=receipt, now=have.clock()),
    )
