"""My name: what others read when this person sends them money."""

from __future__ import annotations

from dataclasses import dataclass

from core import naming, outbox
from core.outbox import Event, Fact
from menus.screen import Ask, Done, Hop
from menus.screens.ordering import PinAsk
from menus.text import Text, _


@dataclass(frozen=True)
class NewName(Ask[str]):
    """The name as it is, and another, if they want."""

    def prompt(self, hop: Hop) -> Text:
        return _("Others see you as {name}.\nType another name:", name=hop.caller.name)

    def read(self, hop: Hop, text: str) -> str:
        return naming.parse_name(text)

    def then(self, hop: Hop, answer: str) -> ConfirmName:
        naming.require_renamable(hop.unit.reading, subscriber=hop.caller.id, now=hop.now)
        return ConfirmName(answer)


@dataclass(frozen=True)
class ConfirmName(PinAsk):
    """The name as it will be, and the PIN as the confirmation."""

    name: str

    def prompt(self, hop: Hop) -> Text:
        return _("Others will see you as {name}.\nEnter PIN to confirm:", name=self.name)

    def then(self, hop: Hop, answer: None) -> Done:
        caller = hop.caller
        naming.rename(hop.db, subscriber=caller.id, name=self.name, actor=hop.actor, now=hop.now)
        facts = {"name": self.name, "at": hop.now.isoformat()}
        fact = Fact(Event.NAME_CHANGED, caller.msisdn, caller.language.value, facts)
        outbox.stage(hop.db, facts=[fact], now=hop.now)
        return Done(_("Others now see you as {name}.", name=self.name))
