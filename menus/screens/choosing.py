"""A new PIN, typed twice: a slip of the finger would lock its owner out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from core import pins
from core.pins import PinsDiffer
from menus.screen import AnyScreen, Ask, Hop, Span
from menus.text import Text, _


class NewPinAsk(Ask[Span]):
    """The new PIN. Only where it stands in the history is kept."""

    guarded: ClassVar[bool] = True

    def prompt(self, hop: Hop) -> Text:
        return _("New PIN of 4 digits:")

    def read(self, hop: Hop, text: str) -> Span:
        pins.choose(text)
        return hop.span

    @abstractmethod
    def then(self, hop: Hop, answer: Span) -> AnyScreen: ...


@dataclass(frozen=True)
class RepeatPinAsk(Ask[str]):
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

    @abstractmethod
    def refusal_leads(self) -> AnyScreen: ...
