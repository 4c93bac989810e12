"""
Looking at what our accounts at M-Pesa hold. Too little is alerted; the core lets payouts wait.
"""

from __future__ import annotations

import time

from workers.daraja.line import Hurry
from workers.mpesa import hands, questions
from workers.mpesa.breaker import may_ask
from workers.resources import current
from workers.ringing import Job


def look(**_: object) -> None:
    """Ask what we have. The answers call back. Twice is as once, but for the asking."""
    have = current()
    if have.mpesa is None:
        return
    have.heard(Job.LOOK)
    with have.databases() as session:
        if not may_ask(have, session):
            return
    line, account = have.mpesa, have.mpesa.client.account
    shortcodes = [True] if account.payout_shortcode == account.shortcode else [True, False]
    until = time.monotonic() + hands.PATIENCE_SECONDS
    for of_payouts in shortcodes:
        if line.has_turn(Hurry.QUESTION, until=until):
            questions.balance(have, line, of_payouts=of_payouts)
