"""
Flows, told by the screens that a session was shown.

A flow is the screens of one module: `send`, `pay`. The menus that lead to other modules' are none
of it: whoever went by My account to their limits left nothing undone there, and whoever settles
their till now withdraws. It is brought to its end by the outcome of an order, by M-Pesa's prompt,
or by a last word after one of its screens; where nothing is typed (a statement, help), by being
read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from menus.engine import name
from menus.screen import Ask, Done, Pick, Tell
from menus.screens import SCREENS, account, home, more, mpesa, resume, settle
from menus.screens.ordering import OutcomeTell, PromptedTell

_LAST_WORD: Final = name(Done)
_CROSSINGS: Final = frozenset(
    name(screen)
    for screen in (
        account.Account,
        account.Pin,
        home.Home,
        more.More,
        mpesa.Mpesa,
        resume.Offer,
        settle.Settle,
    )
)


def of(screen: str) -> str:
    """The flow that a screen belongs to, by its name."""
    return screen.partition(".")[0]


def _ends() -> Mapping[str, frozenset[str]]:
    """Every flow, in the order of the screens, and the screens that bring it to its end."""
    flows: dict[str, list[str]] = {}
    for screen in SCREENS:
        if screen != _LAST_WORD:
            flows.setdefault(of(screen), []).append(screen)
    found = {}
    for flow, screens in flows.items():
        kinds = [SCREENS[screen] for screen in screens]
        if not any(issubclass(kind, Ask | Pick | Tell) for kind in kinds):
            continue  # a menu leads to flows, and is none
        asks = any(issubclass(kind, Ask) for kind in kinds)
        last = (OutcomeTell, PromptedTell) if asks else (Pick, Tell)
        found[flow] = frozenset(
            screen for screen, kind in zip(screens, kinds, strict=True) if issubclass(kind, last)
        )
    return found


ENDS: Final = _ends()


def hops(screens: Sequence[str]) -> Mapping[str, int]:
    """How many screens of each flow a session was shown, the last word after it among them."""
    counts: dict[str, int] = {}
    before = ""
    for screen in screens:
        if screen != _LAST_WORD:
            before = "" if screen in _CROSSINGS else of(screen)
        if before in ENDS:
            counts[before] = counts.get(before, 0) + 1
    return counts


def taken(screens: Sequence[str]) -> Mapping[str, bool]:
    """Which flows a session went into, and whether it brought each to its end."""
    flows: dict[str, bool] = {}
    before = ""
    for screen in screens:
        if screen == _LAST_WORD:
            if before in flows:
                flows[before] = True
            continue
        before = "" if screen in _CROSSINGS else of(screen)
        if before in ENDS:
            flows[before] = flows.get(before, False) or screen in ENDS[before]
    return flows
