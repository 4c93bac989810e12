"""
What people come for: what they type, and what must be shown then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from bench.town.people import PIN, Neighbour
from core import msisdn
from core.orders import Kind
from core.subscribers import Language

NAME: Final = "Jirani"


@dataclass(frozen=True, slots=True)
class Step:
    """
    One answer.

    Args:
        typed: What is typed.
        leads: The screens it may lead to.
        says: What must then be on the handset, as a regular expression.
        wrong: What somebody might type here instead, that leads nowhere.
        confirms: Whether it is the PIN that orders something.
        between: Screens that may come before that, and what is typed there.
        may_end: Screens at which there is nothing to be had, and the plan is given up.
    """

    typed: str
    leads: frozenset[str]
    says: str = ""
    wrong: str = ""
    confirms: bool = False
    between: Mapping[str, str] = field(default_factory=dict)
    may_end: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        return "confirm" if self.confirms else "navigate"


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What somebody comes for.

    Args:
        flow: Its name.
        steps: What they type.
        orders: What the ledger will have been asked for: kind and amount in minor units.
        to: The number of whom they send money to.
    """

    flow: str
    steps: Sequence[Step]
    orders: tuple[Kind, int] | None = None
    to: str = ""


Making = Callable[[Neighbour, Sequence[Neighbour], Random], Plan]


def step(typed: str, *leads: str, says: str = "", wrong: str = "", confirms: bool = False) -> Step:
    """An answer, and where it may lead."""
    return Step(typed, frozenset(leads), says, wrong, confirms)


def _amount(shillings: int) -> str:
    return re.escape(f"KES {shillings:,}.00")


def _someone(me: Neighbour, all_: Sequence[Neighbour], chance: Random) -> Neighbour:
    return all_[(me.number + chance.randrange(1, len(all_))) % len(all_)]


def send(me: Neighbour, all_: Sequence[Neighbour], chance: Random) -> Plan:
    """Send money to somebody, their number typed as people type numbers."""
    to, shillings = _someone(me, all_, chance), chance.randint(1, 400)
    national = "0" + to.msisdn[4:]
    number = chance.choice(
        [national, to.msisdn, to.msisdn[1:], f"{national[:4]} {national[4:7]} {national[7:]}"]
    )
    amount = chance.choice(
        [str(shillings), f"KES {shillings}", f"{shillings}.00", f"{shillings}/="]
    )
    whom = re.escape(msisdn.masked(to.msisdn))
    return Plan(
        "send",
        [
            step("1", "send.Recipient", wrong="7"),
            step(number, "send.Amount", says=whom, wrong="12"),
            step(amount, "send.Confirm", says=f"{_amount(shillings)}.*{whom}", wrong="much"),
            step(PIN, "send.Outcome", says=_amount(shillings), wrong="12", confirms=True),
        ],
        (Kind.TRANSFER, shillings * 100),
        to.msisdn,
    )


def pay(me: Neighbour, all_: Sequence[Neighbour], chance: Random) -> Plan:
    """Pay a shop."""
    shops = [each for each in all_ if each.till and each is not me]
    shop, shillings = chance.choice(shops), chance.randint(10, 900)
    return Plan(
        "pay",
        [
            step("5", "more.More", wrong="8"),
            step("1", "pay.Till", wrong="x"),
            step(shop.till, "pay.Amount", says=shop.till, wrong="1234567"),
            step(str(shillings), "pay.Confirm", says=_amount(shillings), wrong="0.001"),
            step(PIN, "pay.Outcome", says=_amount(shillings), confirms=True),
        ],
        (Kind.PAYMENT, shillings * 100),
    )


def redeem(me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Use the voucher one was given."""
    code = me.vouchers.pop()
    return Plan(
        "voucher",
        [
            step("5", "more.More"),
            step("2", "voucher.Code"),
            step(code, "voucher.Outcome", says=_amount(100), confirms=True),
        ],
        (Kind.REDEMPTION, 100_00),
    )


def exchange(_me: Neighbour, _all: Sequence[Neighbour], chance: Random) -> Plan:
    """Change shillings into dollars, or whatever the menu has first."""
    shillings = chance.randint(300, 900)
    return Plan(
        "exchange",
        [
            step("5", "more.More"),
            # Who holds one currency alone is not asked which.
            Step("3", frozenset({"exchange.Get"}), between={"exchange.Give": "1"}),
            step("1", "exchange.Amount", wrong="9"),
            step(str(shillings), "exchange.Confirm", says=_amount(shillings), wrong="much"),
            step(PIN, "exchange.Outcome", says=_amount(shillings), confirms=True),
        ],
        (Kind.EXCHANGE, shillings * 100),
    )


def statement(_me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Look at one's statement, at a movement, and come back."""
    return Plan(
        "statement",
        [
            step("2", "statement.Statement", wrong="99"),
            step("1", "statement.Detail", wrong="#"),
            step("0", "statement.Statement"),
            step("00", "home.Home", says="KES"),
        ],
    )


def balances(_me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """See what one has in all currencies."""
    return Plan(
        "balances",
        [
            step("5", "more.More"),
            step("4", "balances.Balances", says="KES"),
            step("1", "statement.Statement"),
        ],
    )


def limits(_me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """See what one may send."""
    return Plan(
        "limits",
        [step("3", "account.Account"), step("4", "limits.Limits", says="KES", wrong="44")],
    )


def change_pin(_me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Set out to change one's PIN, and think better of it at the new one."""
    return Plan(
        "account",
        [
            step("3", "account.Account"),
            step("1", "account.Pin"),
            step("1", "account.OldPin"),
            step(PIN, "account.NewPin"),
            step("1234", "account.NewPin"),
            step("00", "home.Home", says="KES"),
        ],
    )


def language(me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Look for a language and stay with one's own."""
    return Plan(
        "account",
        [
            step("3", "account.Account"),
            step("2", "account.ChooseLanguage", wrong="77"),
            step("2" if me.language is Language.KISWAHILI else "1", "screen.Done"),
        ],
    )


def help_(_me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Read help."""
    return Plan(
        "help",
        [step("4", "help.Help", wrong="abc"), step("1", "help.Topic"), step("0", "help.Help")],
    )


def rename(_me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Be called otherwise."""
    return Plan(
        "naming",
        [
            step("3", "account.Account"),
            step("3", "naming.NewName"),
            step(NAME, "naming.ConfirmName", says=NAME, wrong="7"),
            step(PIN, "screen.Done", says=NAME, confirms=True),
        ],
    )


def ask_back(_me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Ask for the last movement back, if it was one's own."""
    return Plan(
        "reversal",
        [
            step("2", "statement.Statement"),
            step("1", "statement.Detail"),
            Step("1", frozenset({"reversal.Why"}), may_end=frozenset({"statement.Detail"})),
            step("1", "reversal.Confirm", wrong="9"),
            step(PIN, "screen.Done", confirms=True),
        ],
    )


def close(_me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Leave for good."""
    return Plan(
        "closing",
        [
            step("3", "account.Account"),
            step("5", "closing.Close"),
            step(PIN, "screen.Done", confirms=True),
        ],
    )


def register(_me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Open an account."""
    return Plan(
        "register",
        [
            step("1", "register.Name", wrong="9"),
            step("Newcomer", "register.NewPin", wrong="!"),
            step(PIN, "register.RepeatPin"),
            step(PIN, "register.Terms"),
            step("1", "screen.Done", says="Newcomer", confirms=True),
        ],
    )


# How often each is come for, among a hundred calls.
SHARES: Final[Mapping[Making, int]] = {
    send: 40,
    pay: 15,
    statement: 12,
    exchange: 6,
    redeem: 5,
    balances: 6,
    limits: 4,
    change_pin: 4,
    language: 3,
    rename: 2,
    help_: 5,
}
