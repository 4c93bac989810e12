"""
Single values as Safaricom writes them: any of them may come as text or as a number.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

from pydantic import BeforeValidator

from core.money import Currency, Money

NAIROBI: Final = timezone(timedelta(hours=3), "EAT")

_RECEIPT: Final = re.compile(r"[A-Z0-9]{8,20}")
_ID: Final = re.compile(r"[!-~]{1,100}")
_MSISDN: Final = re.compile(r"254[17][0-9]{8}")
_CODE_LENGTH_MAX: Final = 32
_WORDS_LENGTH_MAX: Final = 200
_DIGITS_MAX: Final = 40
_PLACES_MAX: Final = 40
_MINOR_MAX: Final = 10**15
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def word(given: object) -> str:
    """A code, an id or a number, that may come as a string or as a number."""
    if isinstance(given, bool) or not isinstance(given, str | int | Decimal):
        raise ValueError("neither text nor a number")  # noqa: TRY004 - pydantic wants this
    if isinstance(given, Decimal):
        # Written out, 1E999999999 would be as many noughts.
        if abs(given.adjusted()) > _PLACES_MAX:
            raise ValueError("too big or too small a number")
        given = f"{given:f}"
    return str(given).strip()


def code(given: object) -> str:
    said = word(given)
    if not said or len(said) > _CODE_LENGTH_MAX or not said.isascii() or not said.isprintable():
        raise ValueError("no code")
    return said


def words(given: object) -> str:
    """Text of theirs: for a log or a note, never for a decision."""
    if not isinstance(given, str):
        return ""
    return _UNPRINTABLE.sub(" ", given)[:_WORDS_LENGTH_MAX]


def id_(given: object) -> str:
    said = word(given)
    if not _ID.fullmatch(said):
        raise ValueError("no id")
    return said


def id_or_none(given: object) -> str | None:
    try:
        return id_(given)
    except ValueError:
        return None


Code = Annotated[str, BeforeValidator(code)]
Words = Annotated[str, BeforeValidator(words)]
Id = Annotated[str, BeforeValidator(id_)]
IdOrNone = Annotated[str | None, BeforeValidator(id_or_none)]


def amount(given: object) -> Money | None:
    """Read shillings: `1`, `1.00`, `"5.00"`; None for what is none, or has no whole cents."""
    try:
        said = word(given)
        if len(said) > _DIGITS_MAX:
            return None
        minor = Decimal(said.replace(",", "")).scaleb(Currency.KES.exponent)
        if not minor.is_finite() or minor != minor.to_integral_value() or abs(minor) > _MINOR_MAX:
            return None
    except (ValueError, InvalidOperation):
        return None
    return Money(int(minor), Currency.KES)


def receipt(given: object) -> str | None:
    """Read a receipt (`SG632NMUAB`); None for what is none."""
    try:
        said = word(given)
    except ValueError:
        return None
    return said if _RECEIPT.fullmatch(said) else None


def msisdn(given: object) -> str | None:
    """Read a whole number as Safaricom writes it, into E.164; None for a masked or hashed one."""
    try:
        said = word(given)
    except ValueError:
        return None
    return f"+{said}" if _MSISDN.fullmatch(said) else None


def instant(given: object) -> datetime | None:
    """Read `20231121121325` or `06.07.2024 22:48:52`, both of Nairobi; None for anything else."""
    try:
        said = word(given)
    except ValueError:
        return None
    for form, length in (("%Y%m%d%H%M%S", 14), ("%d.%m.%Y %H:%M:%S", 19)):
        if len(said) == length:
            try:
                return datetime.strptime(said, form).replace(tzinfo=NAIROBI)
            except ValueError:
                return None
    return None
