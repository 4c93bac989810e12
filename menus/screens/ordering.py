"""What orders and prompts have in common: the PIN that confirms, and what became of it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from core import orders, pins
from core.money import Money
from core.orders import Placed, State
from menus.faces import face
from menus.screen import Ask, Hop, Tell, View
from menus.text import Text


class PinAsk(Ask[None]):
    """Ask for the caller's PIN; a wrong try is kept."""

    guarded: ClassVar[bool] = True

    def read(self, hop: Hop, text: str) -> None:
        pins.check(
            hop.db, person=hop.caller, typed=text, hasher=hop.hasher, actor=hop.actor, now=hop.now
        )


@dataclass(frozen=True)
class OutcomeTell(Tell):
    """What became of an order, if the ledger has said so by now."""

    order: int
    submits: ClassVar[bool] = True

    @abstractmethod
    def received(self, placed: Placed) -> Text:
        """Say that it waits."""

    @abstractmethod
    def done(self, placed: Placed) -> Text:
        """Say that it is done."""

    @property
    def awaits(self) -> int:
        return self.order

    def view(self, hop: Hop) -> View:
        placed = orders.get(hop.unit.reading, order=self.order)
        if placed.refusal is not None:
            words = face(placed.refusal).words
        elif placed.state is State.PLACED:
            words = self.received(placed)
        else:
            words = self.done(placed)
        return View(words, ends=True)


@dataclass(frozen=True)
class PromptedTell(Tell):
    """
    A payer is about to be asked for their M-Pesa PIN, on their own phone.

    The session ends first: the prompt does not come up while ours is on the line.
    """

    amount: Money
    reference: str
    submits: ClassVar[bool] = True

    @abstractmethod
    def words(self) -> Text:
        """Say what comes."""

    def view(self, hop: Hop) -> View:
        return View(self.words(), ends=True)
