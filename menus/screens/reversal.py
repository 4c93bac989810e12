"""Ask for money back that was sent: why, PIN. Staff decide, and both sides hear of it by SMS."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from core import reversals
from core.decisions import NoReason
from core.money import Money
from core.subscribers import Language
from menus.screen import Ask, Done, Hop, Menu, Option
from menus.screens.ordering import PinAsk
from menus.text import Text, _

_REASONS: Final = (_("Wrong number"), _("Wrong amount"), _("I was tricked"))
# Whoever was tricked may tell what they told others: a PIN is kept nowhere.
_LIKE_A_PIN: Final = re.compile(r"(?<!\d)\d(?:[ .,_-]?\d){3}(?!\d)")


@dataclass(frozen=True, slots=True)
class Sent:
    """What is asked back: as the statement has it."""

    reference: str
    amount: Money
    name: str
    number: str


@dataclass(frozen=True)
class Why(Menu):
    """What went wrong. Staff read it in English, whatever the caller's language."""

    sent: Sent
    fetched: ClassVar[bool] = True

    def title(self, hop: Hop) -> Text:
        return _("Why should {amount} come back?", amount=self.sent.amount)

    def options(self, hop: Hop) -> Sequence[Option]:
        return [
            *(Option(reason, self._because(reason)) for reason in _REASONS),
            Option(_("Another reason"), lambda _hop: Words(self.sent)),
        ]

    def _because(self, reason: Text) -> Callable[[Hop], Confirm]:
        return lambda _hop: Confirm(self.sent, reason.render(Language.ENGLISH))


@dataclass(frozen=True)
class Words(Ask[str]):
    """The caller's own words."""

    sent: Sent
    fetched: ClassVar[bool] = True

    def prompt(self, hop: Hop) -> Text:
        return _("Tell us why, in a few words:")

    def read(self, hop: Hop, text: str) -> str:
        words = " ".join("".join(char if char.isprintable() else " " for char in text).split())
        if not any(char.isalpha() for char in words):
            raise NoReason
        return _LIKE_A_PIN.sub("****", words)

    def then(self, hop: Hop, answer: str) -> Confirm:
        return Confirm(self.sent, answer)


@dataclass(frozen=True)
class Confirm(PinAsk):
    """Only who sent the money asks for it back, not whoever holds their phone."""

    sent: Sent
    reason: str

    def prompt(self, hop: Hop) -> Text:
        return _(
            "Ask for {amount} back from {name} {number}.\nWe answer by SMS.\nEnter PIN to confirm:",
            amount=self.sent.amount,
            name=self.sent.name,
            number=self.sent.number,
        )

    def then(self, hop: Hop, answer: None) -> Done:
        reversals.request(
            hop.db,
            subscriber=hop.caller.id,
            reference=self.sent.reference,
            actor=hop.actor,
            reason=self.reason,
            now=hop.now,
            key=hop.key,
        )
        return Done(
            _(
                "You asked for {amount} back from {name}. We will answer by SMS.\nRef {reference}",
                amount=self.sent.amount,
                name=self.sent.name,
                reference=self.sent.reference,
            )
        )
