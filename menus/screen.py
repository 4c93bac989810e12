"""
The kinds of screen.

A screen is a frozen dataclass. Its fields are everything known so far. It can *show* itself,
*read* an answer, and say which screen comes *then*. It is never changed and keeps no services,
so it can be put away in Redis between two hops and picked up by another process.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Generic, NamedTuple, TypeAlias, TypeVar

from sqlalchemy.orm import Session

from core.audit import Actor
from core.codes import Veil
from core.db import Unit
from core.deposits.asking import PROMPT_DELAY
from core.errors import Invalid
from core.otp_codes import OtpKey
from core.pins import Hasher
from core.subscribers import Language, Person
from menus.networks import UNKNOWN, Network
from menus.text import Text

T = TypeVar("T")
A = TypeVar("A")


@dataclass(eq=False)
class InvalidChoice(Invalid):
    """The choice is not on the menu."""


@dataclass(eq=False)
class AnswerTooLong(Invalid):
    """The answer is longer than the caller's network lets anybody type."""

    letters_max: int


class Way(StrEnum):
    """Where an answer may lead that is no new screen."""

    BACK = "back"
    """To the screen below, as it was left."""
    HOME = "home"
    """To the first one."""


class Span(NamedTuple):
    """Where an answer stands in the aggregator's history: what is kept of a PIN between hops."""

    start: int
    end: int


NOWHERE = Span(0, 0)


@dataclass(frozen=True, slots=True)
class Hop:
    """
    One dial or one answer: who is on the line, when, and with what.

    `heard` is the whole history as the aggregator resends it, PINs included: it is never stored,
    logged or shown, and a screen that needs an earlier answer asks for its `Span`.
    """

    unit: Unit
    msisdn: str
    now: datetime
    key: str
    hasher: Hasher = field(repr=False)
    veil: Veil = field(repr=False)
    otp_key: OtpKey = field(repr=False)
    person: Person | None = None
    heard: str = field(default="", repr=False)
    span: Span = NOWHERE
    network: Network = UNKNOWN
    has_mpesa: bool = False
    prompt_delay: timedelta = PROMPT_DELAY

    @property
    def db(self) -> Session:
        """The hop's transaction, begun by whoever asks first; lone looks go by `unit.reading`."""
        return self.unit.session

    @property
    def actor(self) -> Actor:
        """Who does what this hop does, for the audit log."""
        return Actor(self.msisdn, "ussd", self.key)

    @property
    def caller(self) -> Person:
        """Who is on the line. Only the registration screens may not ask."""
        assert self.person is not None, "only registered subscribers get here"
        return self.person

    def said(self, span: Span) -> str:
        """An earlier answer of this session, read back out of the aggregator's history."""
        return self.heard[span.start : span.end]


@dataclass(frozen=True, slots=True)
class View:
    """A head that is on every page, and lines that may run over several, numbered to be chosen."""

    head: Text
    lines: Sequence[Text] = ()
    numbered: bool = True
    ends: bool = False


class Screen(ABC, Generic[A]):
    """One thing on the handset, and what an answer to it does."""

    guarded: ClassVar[bool] = False
    """A PIN or a confirmation: only a live answer counts, never one dialled ahead."""
    fetched: ClassVar[bool] = False
    """It shows what was looked up when it was opened: a later call comes back to it by `again`."""
    left_out: ClassVar[bool] = False
    """It only helped to choose: a later call goes on without it, at what was chosen."""
    leads_back: ClassVar[bool] = True
    """The keys for back and home count on it."""
    submits: ClassVar[bool] = False
    """Money was asked for on the way to it: the next call begins with what became of that."""

    @abstractmethod
    def show(self, hop: Hop) -> View:
        """Say what is on the handset. Reads, never writes."""

    @abstractmethod
    def read(self, hop: Hop, text: str) -> A:
        """Make sense of an answer. May record a wrong PIN; may not move money."""

    @abstractmethod
    def then(self, hop: Hop, answer: A) -> Next:
        """Act, and return the next screen. If it raises, everything it did is undone."""

    def speaks(self, hop: Hop) -> Language:
        """The language it is shown in."""
        return hop.person.language if hop.person is not None else Language.ENGLISH

    @property
    def awaits(self) -> int | None:
        """The order whose outcome it shows, if any: the door waits for it a moment."""
        return None

    def again(self, hop: Hop) -> AnyScreen | None:
        """
        Look up anew what it shows, for a later call; None where it is not come back to.

        Raises:
            DomainError: It may not be come back to now.
        """
        return None

    def refusal_leads(self) -> AnyScreen:
        """The screen that stays when an answer is refused."""
        return self


AnyScreen: TypeAlias = Screen[Any]
Next: TypeAlias = AnyScreen | Way


@dataclass(frozen=True, slots=True)
class Option:
    """One line of a menu and where it leads."""

    label: Text
    leads: Callable[[Hop], Next]


class Menu(Screen[Option]):
    """Choose one of a few named ways."""

    @abstractmethod
    def title(self, hop: Hop) -> Text: ...

    @abstractmethod
    def options(self, hop: Hop) -> Sequence[Option]: ...

    def show(self, hop: Hop) -> View:
        return View(self.title(hop), [option.label for option in self.options(hop)])

    def read(self, hop: Hop, text: str) -> Option:
        return numbered(self.options(hop), text)

    def then(self, hop: Hop, answer: Option) -> Next:
        return answer.leads(hop)


class FactMenu(Menu):
    """A menu below facts; both run over pages where they must."""

    @abstractmethod
    def facts(self, hop: Hop) -> Sequence[Text]: ...

    def show(self, hop: Hop) -> View:
        options = [
            Text("{number}. {label}", {"number": number, "label": option.label})
            for number, option in enumerate(self.options(hop), 1)
        ]
        return View(self.title(hop), [*self.facts(hop), *options], numbered=False)


class Pick(Screen[T]):
    """Choose one of many things; runs over pages."""

    @abstractmethod
    def title(self, hop: Hop) -> Text: ...

    @abstractmethod
    def items(self, hop: Hop) -> Sequence[T]: ...

    @abstractmethod
    def label(self, item: T) -> Text: ...

    def show(self, hop: Hop) -> View:
        return View(self.title(hop), [self.label(item) for item in self.items(hop)])

    def word(self, item: T) -> str:
        """What may be typed for a thing instead of its number, in capitals; empty for nothing."""
        return ""

    def read(self, hop: Hop, text: str) -> T:
        items, typed = self.items(hop), chosen(text).upper()
        named = (item for item in items if typed and self.word(item) == typed)
        found = next(named, None)
        return numbered(items, text) if found is None else found


class Ask(Screen[T]):
    """Ask for something to be typed."""

    @abstractmethod
    def prompt(self, hop: Hop) -> Text: ...

    def show(self, hop: Hop) -> View:
        return View(self.prompt(hop))


class Tell(Screen[str]):
    """Say something; the only ways on are back and home."""

    @abstractmethod
    def view(self, hop: Hop) -> View: ...

    def show(self, hop: Hop) -> View:
        return self.view(hop)

    def read(self, hop: Hop, text: str) -> str:
        raise InvalidChoice

    def then(self, hop: Hop, answer: str) -> AnyScreen:
        raise AssertionError("nothing comes after this")


@dataclass(frozen=True)
class Done(Tell):
    """Say a last thing and hang up."""

    text: Text
    language: Language | None = None

    def view(self, hop: Hop) -> View:
        return View(self.text, ends=True)

    def speaks(self, hop: Hop) -> Language:
        return self.language or super().speaks(hop)


def chosen(text: str) -> str:
    """A choice as it was meant: without blanks, line ends and invisible characters around it."""
    while text and (text[0].isspace() or not text[0].isprintable()):
        text = text[1:]
    while text and (text[-1].isspace() or not text[-1].isprintable()):
        text = text[:-1]
    return text


def numbered(things: Sequence[T], text: str) -> T:
    """
    Take the thing a number stands for.

    Raises:
        InvalidChoice: It stands for nothing, or is no number in ASCII digits.
    """
    choice = chosen(text)
    digits_max = len(str(len(things)))
    if re.fullmatch(rf"[0-9]{{1,{digits_max}}}", choice) and 1 <= int(choice) <= len(things):
        return things[int(choice) - 1]
    raise InvalidChoice
