"""
Phone numbers, parsed once into E.164.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from core.errors import Invalid

_E164 = re.compile(r"\+[1-9][0-9]{7,14}")
_TYPED_LENGTH_MAX = 24


@dataclass(eq=False)
class InvalidMsisdn(Invalid):
    """That is not a phone number."""


def parse(text: str) -> str:
    """
    Read a number as people in Kenya write it (`0712 345 678`, `254712…`, `+254 712…`, `712…`).

    Returns it in E.164. Numbers of other countries need their country code.

    Raises:
        InvalidMsisdn: No mobile phone has such a number.
    """
    typed = re.sub(r"[\s().-]", "", text)
    if len(typed) > _TYPED_LENGTH_MAX or not re.fullmatch(r"\+?[0-9]+", typed):
        raise InvalidMsisdn
    typed = re.sub(r"^0{2,3}(?=[1-9])", "+", typed)  # 00 and Kenya's own 000 both dial abroad
    try:
        number = phonenumbers.parse(typed, "KE")
    except phonenumbers.NumberParseException:
        raise InvalidMsisdn from None
    mobile = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
    if phonenumbers.number_type(number) not in mobile:
        raise InvalidMsisdn
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def claimed(text: str) -> str:
    """
    Read the number an aggregator names as the caller's: E.164, its plus sign sometimes lost.

    Raises:
        InvalidMsisdn: It is not E.164.
    """
    number = "+" + text.strip().removeprefix("+")
    if not _E164.fullmatch(number):
        raise InvalidMsisdn
    return number


def masked(msisdn: str) -> str:
    """Show enough of a number to recognise it and not enough to call it: `0733***002`."""
    local = "0" + msisdn.removeprefix("+254") if msisdn.startswith("+254") else msisdn
    return f"{local[:4]}***{local[-3:]}"
