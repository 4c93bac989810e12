"""My account: change the PIN, change the language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from core import outbox, pins, subscribers
from core.outbox import Event, Fact
from core.pins import PinsDiffer
from core.subscribers import Language
from menus.languages import endonym, spoken
from menus.screen import AnyScreen, Ask, Done, Hop, Menu, Option, Pick, Span
from menus.screens.ordering import PinAsk
from menus.text import Text, _


@dataclass(frozen=True)
class Account(Menu):
    """Who we think the caller is, and what they may change."""

    def title(self, hop: Hop) -> Text:
        return _("My account: {name} {msisdn}", name=hop.caller.name, msisdn=hop.caller.msisdn)

    def options(self, hop: Hop) -> Sequence[Option]:
        return [
            Option(_("Change PIN"), lambda _hop: OldPin()),
            Option(_("Language"), lambda _hop: ChooseLanguage()),
        ]


@dataclass(frozen=True)
class OldPin(PinAsk):
    """Only who knows the old PIN may choose another."""

    def prompt(self, hop: Hop) -> Text:
        return _("Enter your PIN now:")

    def then(self, hop: Hop, answer: None) -> NewPin:
        return NewPin()


@dataclass(frozen=True)
class NewPin(Ask[Span]):
    """The new PIN. Only where it stands in the history is kept."""

    guarded: ClassVar[bool] = True

    def prompt(self, hop: Hop) -> Text:
        return _("New PIN of 4 digits:")

    def read(self, hop: Hop, text: str) -> Span:
        pins.choose(text)
        return hop.span

    def then(self, hop: Hop, answer: Span) -> RepeatPin:
        return RepeatPin(answer)


@dataclass(frozen=True)
class RepeatPin(Ask[str]):
    """The new PIN again."""

    pin: Span
    guarded: ClassVar[bool] = True

    def prompt(self, hop: Hop) -> Text:
        return _("Enter the PIN again:")

    def read(self, hop: Hop, text: str) -> str:
        pin = pins.parse(text)
        if pin != pins.parse(hop.said(self.pin)):
            raise PinsDiffer
        return pin

    def refusal_leads(self) -> AnyScreen:
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
