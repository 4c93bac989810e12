"""
Whom a payment went to, as an answer about it tells.

Safaricom's own sample calls both parties the debit one, and nothing says that they always come in
one order. So a place in a list decides nothing: where the credit party is not named, the account
that was debited must say whether a person has paid or an organisation.
"""

from __future__ import annotations

import re
from typing import Final

from workers.daraja import values
from workers.daraja.wire import Result

# `600310 - Safaricom333`, `254708374149 - John Doe`, `2547 ***** 149 - John Doe`
_PARTY: Final = re.compile(r"\s*\+?([0-9]{5,12})\s*-")
_SHORTCODE_LENGTH_MAX: Final = 7
# Accounts that organisations have, in lower case.
_OF_ORGANISATIONS: Final = frozenset(
    {
        "working account",
        "utility account",
        "float account",
        "charges paid account",
        "organization settlement account",
    }
)
_BOTH: Final = 2


def payee(told: Result) -> str | None:
    """The shortcode or the number that was paid; None where it is not told for certain."""
    credited = told.every("CreditPartyName")
    if credited:
        numbers = {_number(each) for each in credited}
        return numbers.pop() if len(numbers) == 1 else None
    both = [_number(each) for each in told.every("DebitPartyName")]
    shortcodes = [each for each in both if each and len(each) <= _SHORTCODE_LENGTH_MAX]
    if len(both) != _BOTH or len(shortcodes) != 1:
        return None
    account = values.words(told.get("DebitAccountType")).strip().casefold()
    if "customer" in account:
        return shortcodes[0]
    if account in _OF_ORGANISATIONS:
        return next((each for each in both if each not in shortcodes), None)
    return None


def _number(words: object) -> str | None:
    found = _PARTY.match(values.words(words))
    return found[1] if found else None
