"""
GSM 03.38: what a feature phone can show, and how much of it.
"""

from __future__ import annotations

from typing import Final

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED: Final = frozenset("^{}\\[~]|€\f")

USSD_SEPTETS_MAX: Final = 160
# Nobody documents whether the aggregator's `CON ` counts, so it does.
SCREEN_SEPTETS_MAX: Final = USSD_SEPTETS_MAX - len("CON ")
SMS_SEPTETS_MAX: Final = 160
_PART_SEPTETS_MAX: Final = 153
# The first promotional message to each number has the provider's words appended on how to opt out,
# such as "STOP*456*9*5#", on a line of their own; they may change.
OPT_OUT_SEPTETS_MAX: Final = 24


def septets(text: str) -> int:
    """
    Return the length of *text* on the air.

    Raises:
        ValueError: A character has no GSM-7 form and would halve the screen.
    """
    total = 0
    for char in text:
        if char in BASIC:
            total += 1
        elif char in EXTENDED:
            total += 2
        else:
            raise ValueError(f"{char!r} is not in GSM-7")
    return total


def parts(text: str, *, more: int = 0) -> int:
    """
    Return how many SMS *text* is charged as (3GPP TS 23.040).

    Args:
        text: The words.
        more: Septets that somebody else will append.

    Raises:
        ValueError: A character has no GSM-7 form.
    """
    size = septets(text) + more
    return 1 if size <= SMS_SEPTETS_MAX else -(-size // _PART_SEPTETS_MAX)
