"""Last M-Pesa: what became of the caller's newest movement by M-Pesa."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core import movements
from core.movements import Movement
from core.rails import Provider
from menus import clock, mpesa_words
from menus.screen import AnyScreen, Hop, Tell, View
from menus.text import Text, _


@dataclass(frozen=True)
class Last(Tell):
    """It is fetched once, as it stood then."""

    movement: Movement | None
    fetched: ClassVar[bool] = True

    def view(self, hop: Hop) -> View:
        moved = self.movement
        if moved is None:
            return View(_("You have not used M-Pesa here yet."))
        told = [
            mpesa_words.why(moved),
            _("M-Pesa code {receipt}", receipt=moved.receipt) if moved.receipt else None,
            Text(clock.date_and_time(moved.at)),
            _("Ref {reference}", reference=moved.reference),
        ]
        lines = [line for line in told if line is not None]
        return View(mpesa_words.told(moved, briefly=True), lines, numbered=False)


def newest(hop: Hop) -> AnyScreen:
    """Fetch it."""
    return Last(movements.newest(hop.unit.reading, person=hop.caller, provider=Provider.MPESA))
