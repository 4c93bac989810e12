"""What a caller is offered who dials again soon after a call that was cut off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from core.subscribers import Language
from menus.screen import Hop, Menu, Option, Way
from menus.text import Text, _

# By the module whose screen they were on; those of all others are never gone on with, and what a
# newer process offered has no name here.
FLOWS: Final[Mapping[str, Text]] = {
    "account": _("Continue: my account"),
    "deposit": _("Continue: deposit from M-Pesa"),
    "exchange": _("Continue: exchange money"),
    "help": _("Continue: help"),
    "more": _("Continue: more services"),
    "mpesa": _("Continue: M-Pesa"),
    "naming": _("Continue: my name"),
    "pay": _("Continue: pay a till"),
    "register": _("Continue: open an account"),
    "send": _("Continue: send money"),
    "till": _("Continue: pay from M-Pesa"),
    "voucher": _("Continue: use a voucher"),
    "withdraw": _("Continue: withdraw to M-Pesa"),
}
_CONTINUE: Final = _("Continue")


@dataclass(frozen=True)
class Offer(Menu):
    """Stands on top of what can be gone on with: one answer uncovers it, the other leaves it."""

    flow: str
    language: Language | None = None
    leads_back: ClassVar[bool] = False

    def speaks(self, hop: Hop) -> Language:
        return self.language or super().speaks(hop)

    def title(self, hop: Hop) -> Text:
        return _("Your last call was cut off.")

    def options(self, hop: Hop) -> Sequence[Option]:
        return [
            Option(FLOWS.get(self.flow, _CONTINUE), lambda _hop: Way.BACK),
            Option(_("Main menu"), lambda _hop: Way.HOME),
        ]
