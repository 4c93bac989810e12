"""Whom money is for: a number that is typed, or one of a few that the caller has paid before."""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import TypeVar

from core.favourites import Payee
from core.subscribers import Person
from core.transfers import SameAccount
from menus.screen import Ask, Hop, View
from menus.text import Text

Found = TypeVar("Found")


@dataclass(frozen=True)
class PayeeAsk(Ask[Found]):
    """
    Ask for a number, beside up to four that are offered.

    They are fetched once and carried along; no number of ours is as short as a choice.
    """

    known: tuple[Payee, ...] = ()

    @abstractmethod
    def find(self, hop: Hop, number: str) -> Found:
        """Whose number it is."""

    def show(self, hop: Hop) -> View:
        offered = [
            Text("{name} {shown}", {"name": payee.name, "shown": payee.shown})
            for payee in self.known
        ]
        return View(self.prompt(hop), offered)

    def read(self, hop: Hop, text: str) -> Found:
        # One that was picked is looked up as if it were typed: nobody stays paid who is gone.
        return self.find(hop, self._picked(text) or text)

    def _picked(self, text: str) -> str | None:
        choice = text.strip()
        if re.fullmatch(r"[1-9]", choice) and int(choice) <= len(self.known):
            return self.known[int(choice) - 1].number
        return None


def other(hop: Hop, found: Person) -> Person:
    """
    Somebody who is not the caller.

    Raises:
        SameAccount: It is the caller.
    """
    if found.id == hop.caller.id:
        raise SameAccount
    return found
