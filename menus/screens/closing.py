"""Close account: what that means, and the PIN as the confirmation."""

from __future__ import annotations

from dataclasses import dataclass

from core import closing
from menus.screen import Done, Hop
from menus.screens.ordering import PinAsk
from menus.text import Text, _


@dataclass(frozen=True)
class Close(PinAsk):
    """There is no way back from it, so it says so."""

    def prompt(self, hop: Hop) -> Text:
        return _("Close {msisdn} for good?\nEnter PIN to close:", msisdn=hop.caller.msisdn)

    def then(self, hop: Hop, answer: None) -> Done:
        closing.close(hop.db, person=hop.caller, actor=hop.actor, now=hop.now)
        return Done(_("Your account is closed. Thank you for using Kabambe."))
