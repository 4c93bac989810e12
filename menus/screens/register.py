"""Register: language, name, PIN twice, terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from core import naming, pins, registration
from core.pins import PinsDiffer
from core.subscribers import Language
from menus.languages import catalogue, endonym, spoken
from menus.screen import AnyScreen, Ask, Done, Hop, Menu, Option, Span
from menus.text import Text, _


@dataclass(frozen=True)
class Welcome(Menu):
    """The door for a number without an account. It cannot know a language, so it speaks both."""

    def title(self, hop: Hop) -> Text:
        return _("Welcome to Kabambe. Karibu Kabambe.\nLanguage / Lugha:")

    def options(self, hop: Hop) -> Sequence[Option]:
        # Whoever has yet to read the terms is offered no language that breaks off into another.
        languages = (each for each in spoken() if catalogue(each).is_complete)
        return [Option(Text(endonym(each)), _name_in(each)) for each in languages]


def _name_in(language: Language) -> Callable[[Hop], Name]:
    return lambda _hop: Name(language)


@dataclass(frozen=True)
class Name(Ask[str]):
    """What others will read when this person sends them money."""

    language: Language

    def speaks(self, hop: Hop) -> Language:
        return self.language

    def prompt(self, hop: Hop) -> Text:
        return _("Your name, as others will see it:")

    def read(self, hop: Hop, text: str) -> str:
        return naming.parse_name(text)

    def then(self, hop: Hop, answer: str) -> NewPin:
        return NewPin(self.language, answer)


@dataclass(frozen=True)
class NewPin(Ask[Span]):
    """The PIN, the first time. Only where it stands in the history is kept."""

    language: Language
    name: str
    guarded: ClassVar[bool] = True

    def speaks(self, hop: Hop) -> Language:
        return self.language

    def prompt(self, hop: Hop) -> Text:
        return _("{name}, choose a PIN of 4 digits. Never tell it to anyone:", name=self.name)

    def read(self, hop: Hop, text: str) -> Span:
        pins.choose(text)
        return hop.span

    def then(self, hop: Hop, answer: Span) -> RepeatPin:
        return RepeatPin(self.language, self.name, answer)


@dataclass(frozen=True)
class RepeatPin(Ask[None]):
    """The PIN again: a slip of the finger would lock its owner out."""

    language: Language
    name: str
    pin: Span
    guarded: ClassVar[bool] = True

    def speaks(self, hop: Hop) -> Language:
        return self.language

    def prompt(self, hop: Hop) -> Text:
        return _("Enter the PIN again:")

    def read(self, hop: Hop, text: str) -> None:
        if pins.parse(text) != pins.parse(hop.said(self.pin)):
            raise PinsDiffer

    def refusal_leads(self) -> AnyScreen:
        return NewPin(self.language, self.name)

    def then(self, hop: Hop, answer: None) -> Terms:
        return Terms(self.language, self.name, self.pin)


@dataclass(frozen=True)
class Terms(Menu):
    """The last step: nothing is opened before the terms are accepted."""

    language: Language
    name: str
    pin: Span
    guarded: ClassVar[bool] = True

    def speaks(self, hop: Hop) -> Language:
        return self.language

    def title(self, hop: Hop) -> Text:
        return _(
            "Terms: you keep your PIN secret; we show every fee first and keep records"
            " as the law asks."
        )

    def options(self, hop: Hop) -> Sequence[Option]:
        return [Option(_("Accept"), self._open), Option(_("Decline"), self._decline)]

    def _open(self, hop: Hop) -> Done:
        registration.register(
            hop.db,
            msisdn=hop.msisdn,
            name=self.name,
            language=self.language,
            pin=pins.parse(hop.said(self.pin)),
            hasher=hop.hasher,
            actor=hop.actor,
            now=hop.now,
        )
        words = _("Welcome {name}. Your account is open. Dial *384# to use it.", name=self.name)
        return Done(words, self.language)

    def _decline(self, hop: Hop) -> Declined:
        words = _("No account was opened. Dial *384# if you change your mind.")
        return Declined(words, self.language)


@dataclass(frozen=True)
class Declined(Done):
    """The caller's own no: a last word, and not what registering is for."""
