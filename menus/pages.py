"""
Lay a view out over as few handset pages as it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from menus.gsm7 import SCREEN_SEPTETS_MAX, septets

BACK: Final = "0"
HOME: Final = "00"
MORE: Final = "98"


def paginate(head: str, lines: Sequence[str], *, more: str, backs: Sequence[str]) -> list[str]:
    r"""
    Return the pages. Numbers do not restart, so "7" means the same thing on every page.

    Args:
        head: What stands on top of every page.
        lines: What may run over; each is on exactly one page.
        more: The line that offers the next page.
        backs: Lines that offer the way back, the best first; a shorter one serves where there is
            no room for it. Empty where there is no way back.

    >>> paginate("Send to:", ["1. Otieno", "2. Wanjiru"], more="98. More", backs=["0. Back"])
    ['Send to:\n1. Otieno\n2. Wanjiru\n0. Back']
    """
    for back in backs or [""]:
        pages = _lay_out(head, lines, more, back)
        if pages is not None:
            return pages
    raise AssertionError(f"the head leaves no room: {head!r}")


def _lay_out(head: str, lines: Sequence[str], more: str, back: str) -> list[str] | None:
    """Fill pages one after another; None when not even one line fits beside the rest."""
    whole = _page(head, lines, back)
    if septets(whole) <= SCREEN_SEPTETS_MAX:
        return [whole]
    pages: list[str] = []
    rest = list(lines)
    while rest:
        for take in range(len(rest), 0, -1):
            foot = [back] if take == len(rest) else [more, back]
            page = _page(head, rest[:take], *foot)
            if septets(page) <= SCREEN_SEPTETS_MAX:
                break
        else:
            return None
        pages.append(page)
        rest = rest[take:]
    return pages or None


def _page(head: str, lines: Sequence[str], *foot: str) -> str:
    return "\n".join(part for part in (head, *lines, *foot) if part)
