"""My account: who we think the caller is, and what they may change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core import outbox, pins, subscribers
from core.outbox import Event, Fact
from core.subscribers import Language
from menus.languages import endonym, spoken
from menus.screen import Done, Hop, Menu, Option, Pick, Span
from menus.screens import closing, forgotten, last, limits, naming
from menus.screens.choosing import NewPinAsk, RepeatPinAsk
from menus.screens.ordering import PinAsk
from menus.text import Text, _


@dataclass(frozen=True)
class Account(Menu):
    """What we call the caller, the numbers they are found by, and what they may change."""

    def title(self, hop: Hop) -> Text:
        return _(
            "My account: {name} {msisdn}\nWallet {number}",
            name=hop.caller.name,
            msisdn=hop.caller.msisdn,
            number=hop.caller.wallet_number,
        )

    def options(self, hop: Hop) -> Sequence[Option]:
        options = [
            Option(_("PIN"), lambda _hop: Pin()),
            Option(_("Language"), lambda _hop: ChooseLanguage()),
            Option(_("My name"), lambda _hop: naming.NewName()),
            Option(_("My limits"), limits.mine),
            Option(_("Close account"), lambda _hop: closing.Close()),
        ]
        return [*options, Option(_("Last M-Pesa"), last.newest)] if hop.has_mpesa else options


@dataclass(frozen=True)
class Pin(Menu):
    """For who knows their PIN, and for who does not."""

    def title(self, hop: Hop) -> Text:
        return _("PIN")

    def options(self, hop: Hop) -> Sequence[Option]:
        return [
            Option(_("Change PIN"), lambda _hop: OldPin()),
            Option(_("Forgot PIN"), forgotten.begin),
        ]


@dataclass(frozen=True)
class OldPin(PinAsk):
    """Only who knows the old PIN may choose another."""

    def prompt(self, hop: Hop) -> Text:
        return _("Enter your PIN now:")

    def then(self, hop: Hop, answer: None) -> NewPin:
        return NewPin()


@dataclass(frozen=True)
class NewPin(NewPinAsk):
    """The new PIN."""

    def then(self, hop: Hop, answer: Span) -> RepeatPin:
        return RepeatPin(answer)


@dataclass(frozen=True)
class RepeatPin(RepeatPinAsk):
    """The new PIN again."""

    def refusal_leads(self) -> NewPin:
        return NewPin()

    def then(self, hop: Hop, answer: str) -> Done:
        caller = hop.caller
        pins.keep(
            hop.db,
            subscriber=caller.id,
            pin=answer,
            hasher=hop.hasher,
            actor=hop.actor,
            now=hop.now,
        )
        fact = Fact(
            Event.PIN_CHANGED, caller.msisdn, caller.language.value, {"at": hop.now.isoformat()}
        )
        outbox.stage(hop.db, facts=[fact], now=hop.now)
        return Done(_("Your PIN is changed."))


@dataclass(frozen=True)
class ChooseLanguage(Pick[Language]):
    """In which language we speak from now on."""

    def title(self, hop: Hop) -> Text:
        return _("Choose a language:")

    def items(self, hop: Hop) -> Sequence[Language]:
        return spoken()

    def label(self, item: Language) -> Text:
        return Text(endonym(item))

    def then(self, hop: Hop, answer: Language) -> Done:
        subscribers.set_language(
            hop.db, subscriber=hop.caller.id, language=answer, actor=hop.actor, now=hop.now
        )
        return Done(_("From now on we speak English to you."), answer)
