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
