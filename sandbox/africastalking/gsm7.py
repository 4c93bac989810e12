"""
How a text is packed for the air: GSM-7 septets where its alphabet suffices, UCS-2 where not.

Source: 3GPP TS 23.038 (alphabet, extension table) and TS 23.040 (153 and 67 per part).
"""

from __future__ import annotations

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")

GSM7 = "GSM-7"
UCS2 = "UCS-2"


def encoding(text: str) -> str:
    """Name the encoding this text travels in: `GSM-7` or `UCS-2`."""
    return GSM7 if all(c in _BASIC or c in _EXTENDED for c in text) else UCS2


def units(text: str) -> int:
    """Count septets of a GSM-7 text, or 16-bit units of a UCS-2 one."""
    if encoding(text) == GSM7:
        return sum(2 if c in _EXTENDED else 1 for c in text)
    return len(text.encode("utf-16-be")) // 2


def parts(text: str) -> int:
    """Count the SMS parts a text is charged for."""
    single, each = (160, 153) if encoding(text) == GSM7 else (70, 67)
    size = units(text)
    return 1 if size <= single else -(-size // each)


def cut(text: str) -> tuple[str, bool]:
    """
    Cut a USSD screen to what fits one USSD string: 182 septets, or 80 UCS-2 units.

    Returns:
        What the handset shows, and whether anything was lost.
    """
    limit = 182 if encoding(text) == GSM7 else 80
    shown = text
    while units(shown) > limit:
        shown = shown[: min(len(shown) - 1, limit)]
    return shown, shown != text
