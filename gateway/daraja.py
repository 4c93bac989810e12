"""
Safaricom's wire as far as a door must speak it: acknowledgements, and payments asked about.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from core.money import Currency, Money

ACCEPTED: Final = {"ResultCode": 0, "ResultDesc": "Accepted"}

BAD_ACCOUNT: Final = "C2B00012"
BAD_AMOUNT: Final = "C2B00013"
BAD_SHORTCODE: Final = "C2B00015"
OTHER: Final = "C2B00016"

_AMOUNT: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,2})?")
_ACCOUNT_LENGTH_MAX: Final = 64


class NotOurWire(Exception):
    """It is not how Safaricom asks about a payment."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A payment that Safaricom asks about before it is made."""

    shortcode: str
    account: str
    amount: Money | None


def proposed(body: bytes) -> Proposed:
    """
    Read a C2B validation. All its fields are strings, most of the time.

    Raises:
        NotOurWire: It is none.
    """
    try:
        told = json.loads(body, parse_float=Decimal)
        amount, shortcode = told["TransAmount"], told["BusinessShortCode"]
        account = told.get("BillRefNumber")
    except (ValueError, RecursionError, InvalidOperation, KeyError, TypeError, AttributeError):
        raise NotOurWire from None
    return Proposed(
        shortcode=str(shortcode)[:_ACCOUNT_LENGTH_MAX],
        account=_printable(str(account or "")),
        amount=_money(str(amount)[:_ACCOUNT_LENGTH_MAX]),
    )


def _printable(written: str) -> str:
    return "".join(filter(str.isprintable, written)).strip()[:_ACCOUNT_LENGTH_MAX]


def _money(written: str) -> Money | None:
    if not _AMOUNT.fullmatch(written):
        return None
    return Money(int(Decimal(written).scaleb(Currency.KES.exponent)), Currency.KES)


def verdict(code: str | None) -> dict[str, str]:
    """How a payment that was asked about is let go on, or refused with a code of Safaricom's."""
    if code is None:
        return {"ResultCode": "0", "ResultDesc": "Accepted"}
    return {"ResultCode": code, "ResultDesc": "Rejected"}
