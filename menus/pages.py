"""
Lay a view out over as few handset pages as it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from menus.gsm7 import SCREEN_SEPTETS_MAX, septets

BACK: Final = "0"
HOME: Final = "00"
MORE: Final = "98"
# Nobody chooses well among more.
LINES_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Page:
    """One page as the handset shows it, and the line that the next one begins with, if any."""

    text: str
    following: int | None = None


class NoRoom(AssertionError):
    """What must stand on every page leaves no room for anything else."""


def page(
    head: str,
    lines: Sequence[str],
    *,
    start: int = 0,
    more: str,
    backs: Sequence[str],
    septets_max: int = SCREEN_SEPTETS_MAX,
) -> Page:
    r"""
    Lay out the page that begins with line `start`.

    Numbers do not restart, so "7" means the same thing on every page.

    Args:
        head: What stands on top of every page.
        lines: What may run over; each is on exactly one page.
        start: The first line that is on this one.
        more: The line that offers the next page.
        backs: Lines that offer the way back, the best first; a shorter one serves where there is
            no room for it. Empty where there is no way back.
        septets_max: What the caller's network carries.

    Raises:
        NoRoom: The head is too long: a fault of ours, or of a line that may as well be left out.

    >>> page("Send to:", ["1. Otieno", "2. Wanjiru"], more="98. More", backs=["0. Back"]).text
    'Send to:\n1. Otieno\n2. Wanjiru\n0. Back'
    """
    rest = lines[start:]
    for back in backs or [""]:
        for take in range(min(len(rest), LINES_MAX), -1 if not rest else 0, -1):
            is_last = take == len(rest)
            text = _join(head, rest[:take], *([back] if is_last else [more, back]))
            if septets(text) <= septets_max:
                return Page(text, None if is_last else start + take)
    raise NoRoom(f"the head leaves no room: {head!r}")


def _join(head: str, lines: Sequence[str], *foot: str) -> str:
    return "\n".join(part for part in (head, *lines, *foot) if part)
