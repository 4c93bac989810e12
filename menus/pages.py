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


def paginate(head: str, lines: Sequence[str], *, more: str, back: str) -> list[str]:
    r"""
    Return the pages. Numbers do not restart, so "7" means the same thing on every page.

    Args:
        head: What stands on top of every page.
        lines: What may run over; each is on exactly one page.
        more: The line that offers the next page.
        back: The line that offers the way back; empty where there is none.

    >>> paginate("Send to:", ["1. Otieno", "2. Wanjiru"], more="98. More", back="0. Back")
    ['Send to:\n1. Otieno\n2. Wanjiru\n0. Back']
    """
    whole = _page(head, lines, back)
    if septets(whole) <= SCREEN_SEPTETS_MAX:
        return [whole]

    pages: list[str] = []
    rest = list(lines)
    while rest:
        take = len(rest)
        while take:
            foot = [back] if take == len(rest) else [more, back]
            page = _page(head, rest[:take], *foot)
            if septets(page) <= SCREEN_SEPTETS_MAX:
                break
            take -= 1
        assert take, f"not even one line fits under this head: {head!r}"
        pages.append(page)
        rest = rest[take:]
    assert pages, f"the head alone is too long: {head!r}"
    return pages


def _page(head: str, lines: Sequence[str], *foot: str) -> str:
    return "\n".join(part for part in (head, *lines, *foot) if part)
