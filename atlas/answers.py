"""
The answer book: what is typed where a screen offers no numbers to choose from, and how flows begin.

A menu is walked by its numbers and needs nothing here, nor does a screen that asks for the PIN. At
any other something is typed: it has a line in `ANSWERS`, and the first answer is what leads on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from atlas import people
from atlas.world import Phone, World
from core import rails
from core.db import transact
from core.rails import Provider
from core.subscribers import Language
from menus.engine import name
from menus.languages import catalogue, spoken
from menus.screen import AnyScreen, Menu, Pick, Tell
from menus.screens import (
    account,
    deposit,
    exchange,
    forgotten,
    naming,
    pay,
    register,
    reversal,
    send,
    till,
    voucher,
    withdraw,
)
from menus.screens.ordering import PinAsk

HIDDEN: Final = "****"


@dataclass(frozen=True, slots=True)
class Answer:
    """
    Something typed.

    Args:
        typed: What is typed, or how to find it out.
        shown: What the transcript shows in its place; never a PIN nor a code.
    """

    typed: str | Callable[[World], str]
    shown: str = ""

    def in_(self, world: World) -> str:
        return self.typed if isinstance(self.typed, str) else self.typed(world)

    def told(self, world: World) -> str:
        """What the transcript shows."""
        return self.shown or self.in_(world)


@dataclass(frozen=True, slots=True)
class Beginning:
    """
    How a session begins.

    Args:
        title: Who dials, in words.
        msisdn: Their number.
        code: What they dial.
        before: What happened before.
        script: What they type; empty to try everything there is.
    """

    title: str
    msisdn: str
    code: str = "*384#"
    before: Callable[[World], None] = lambda _world: None
    script: tuple[Answer, ...] = ()


def _own_language(world: World) -> str:
    offered = [each for each in spoken() if catalogue(each).is_complete]
    return str(offered.index(world.language) + 1)


def _other_language(world: World) -> str:
    return "2" if world.language is Language.ENGLISH else "1"


_PIN: Final = (Answer(people.PIN, HIDDEN), Answer("5823", f"{HIDDEN} (wrong)"))
_NEW_PIN: Final = Answer("5823", HIDDEN)


def _cut_off(*typed: str) -> Callable[[World], None]:
    """A session before this one, in which this was typed and then nothing more."""

    def call(world: World) -> None:
        phone = Phone(world, people.WANJIRU)
        phone.dial()
        for answer in typed:
            phone.types(answer)

    return call


def _stopped(world: World) -> None:
    """Staff must mend something before anything is paid out by M-Pesa."""
    transact(
        world.owner,
        lambda session: rails.open_breaker(
            session, provider=Provider.MPESA, code="2001", why="the password", now=people.MORNING
        ),
    )


ANSWERS: Final[Mapping[type[AnyScreen], Sequence[Answer]]] = {
    register.Welcome: [Answer(_own_language)],
    register.Name: [Answer("Achieng")],
    register.NewPin: [_NEW_PIN, Answer("1234", f"{HIDDEN} (1234)")],
    register.RepeatPin: [_NEW_PIN, Answer(people.PIN, f"{HIDDEN} (another)")],
    send.Recipient: [
        Answer("0733000002"),
        Answer("1"),
        Answer("0799000000"),
        Answer("12"),
    ],
    send.Amount: [Answer("500"), Answer("20000")],
    account.NewPin: [_NEW_PIN],
    account.RepeatPin: [_NEW_PIN],
    account.ChooseLanguage: [Answer(_other_language)],
    forgotten.Name: [Answer("Wanjiru")],
    forgotten.Proof: [Answer("0733000002"), Answer("0722000003")],
    forgotten.Code: [
        Answer(lambda world: world.code(), f"{HIDDEN}{HIDDEN[:2]}"),
        Answer("000000", f"{HIDDEN}{HIDDEN[:2]} (wrong)"),
        Answer("1"),
    ],
    forgotten.NewPin: [_NEW_PIN],
    forgotten.RepeatPin: [_NEW_PIN],
    naming.NewName: [Answer("Wanjiru Kamau")],
    exchange.Amount: [Answer("10")],
    reversal.Words: [Answer("It was for somebody else")],
    pay.Till: [Answer(lambda world: world.till), Answer("1234567")],
    pay.Amount: [Answer("300")],
    deposit.Amount: [Answer("500"), Answer("99.50")],
    withdraw.Amount: [Answer("500")],
    till.Till: [Answer(lambda world: world.till)],
    till.Amount: [Answer("300")],
    voucher.Code: [
        Answer(lambda world: world.codes[0], "(its 20 digits)"),
        Answer("12345678901234567890", "(20 others)"),
    ],
}

BEGINNINGS: Final = (
    Beginning("A number with an account", people.WANJIRU),
    Beginning("A number without an account", people.STRANGER),
    Beginning("Nothing has happened yet", people.NJERI, script=(Answer("2"),)),
    Beginning(
        "Cut off in the middle, and gone on with",
        people.WANJIRU,
        before=_cut_off("1", "0733000002"),
        script=(Answer("1"),),
    ),
    Beginning(
        "Cut off in the middle, and begun anew",
        people.WANJIRU,
        before=_cut_off("1", "0733000002"),
        script=(Answer("2"),),
    ),
    Beginning(
        "Cut off after the PIN",
        people.WANJIRU,
        before=_cut_off("1", "0733000002", "500", people.PIN),
        script=(Answer("2"),),
    ),
    Beginning(
        "An account with nothing on it is closed",
        people.NJERI,
        script=(Answer("3"), Answer("5"), Answer(people.PIN, HIDDEN)),
    ),
    Beginning(
        "A deposit was asked for in the call before",
        people.WANJIRU,
        before=_cut_off("5", "5", "1", "500", "1"),
        script=(Answer("3"), Answer("6")),
    ),
    Beginning("A shop settles its till", people.SHOP, code="*384*5*5*5#"),
    Beginning(
        "M-Pesa payouts are stopped",
        people.WANJIRU,
        before=_stopped,
        script=(Answer("5"), Answer("5"), Answer("2"), Answer("1")),
    ),
    Beginning("Dialled ahead, up to the PIN", people.WANJIRU, code="*384*1*0733000002*500#"),
)


def is_numbered(screen: type[AnyScreen]) -> bool:
    """Whether the numbers that it shows are all that can be typed there."""
    return any(screen.read is kind.read for kind in (Menu, Pick, Tell))


def booked(screen: type[AnyScreen]) -> Sequence[Answer]:
    """What the book says of a screen, which may be nothing."""
    return ANSWERS.get(screen, _PIN if issubclass(screen, PinAsk) else ())


def answers(screen: AnyScreen, *, offered: int) -> Sequence[Answer]:
    """
    What is tried at a screen: by the book, else all of a menu's numbers, or the first of a list.

    Args:
        screen: What is shown.
        offered: How many numbers it offers.

    Raises:
        LookupError: Something must be typed, and the book does not say what.
    """
    known = booked(type(screen))
    if known:
        return known
    if not is_numbered(type(screen)):
        raise LookupError(f"{name(type(screen))} has no line in atlas/answers.py")
    if isinstance(screen, Pick):
        offered = min(offered, 1)
    return [Answer(str(number)) for number in range(1, offered + 1)]
