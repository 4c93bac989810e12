"""
What people come for with their M-Pesa: in, out, straight to a shop, and what became of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from bench.town.people import (
    DEPOSIT,
    SETTLEMENT,
    TILL,
    UNPAID_DEPOSIT,
    UNPAID_TILL,
    WITHDRAWAL,
    Neighbour,
)
from bench.town.steps import Plan, Step, amount, shop, step

_KINDS: Final = frozenset({DEPOSIT, TILL, UNPAID_DEPOSIT, UNPAID_TILL, WITHDRAWAL, SETTLEMENT})
_MENU: Final[Sequence[Step]] = (step("5", "more.More"), step("5", "mpesa.Mpesa", wrong="8"))


def deposit(me: Neighbour, _all: Sequence[Neighbour], chance: Random) -> Plan:
    """Put money in; whoever thinks better of it cancels M-Pesa's prompt."""
    shillings = chance.randint(10, 900)
    return Plan(
        "deposit",
        [
            *_MENU,
            step("1", "deposit.Amount", wrong="9"),
            step(str(shillings), "deposit.Confirm", says=amount(shillings), wrong="10.50"),
            step("1", "deposit.Prompted", says=amount(shillings), confirms=True),
        ],
        (UNPAID_DEPOSIT if me.cancels_prompts else DEPOSIT, shillings * 100),
        is_once=True,  # M-Pesa prompts nobody twice in two minutes
    )


def withdraw(me: Neighbour, _all: Sequence[Neighbour], chance: Random) -> Plan:
    """Take money out."""
    shillings = chance.randint(10, 900)
    return Plan(
        "withdraw",
        [
            *_MENU,
            step("2", "withdraw.Amount"),
            step(str(shillings), "withdraw.Confirm", says=amount(shillings), wrong="5"),
            step(me.pin, "withdraw.Outcome", says=amount(shillings), wrong="12", confirms=True),
        ],
        (WITHDRAWAL, shillings * 100),
    )


def till(me: Neighbour, all_: Sequence[Neighbour], chance: Random) -> Plan:
    """Pay a shop straight from M-Pesa."""
    paid, shillings = shop(me, all_, chance), chance.randint(10, 900)
    return Plan(
        "till",
        [
            *_MENU,
            step("3", "till.Till", wrong="x"),
            step(paid.till, "till.Amount", says=paid.till, wrong="1234567"),
            step(str(shillings), "till.Confirm", says=amount(shillings), wrong="0.001"),
            step("1", "till.Prompted", says=amount(shillings), confirms=True),
        ],
        (UNPAID_TILL if me.cancels_prompts else TILL, shillings * 100),
        is_once=True,
    )


def settle(me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Have all that one's shop has taken; the screen says how much that is."""
    return Plan(
        "settle",
        [
            *_MENU,
            step("5", "settle.Settle", wrong="7"),
            step("1", "withdraw.Confirm"),
            step(me.pin, "withdraw.Outcome", confirms=True),
        ],
        reads=SETTLEMENT,
        is_once=True,
    )


def last(me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """See what became of one's last movement by M-Pesa."""
    known = [moved for kind, moved in me.ordered if kind in _KINDS]
    says = "|".join(amount(int(moved) // 100) for moved in known) or "not used|hujatumia"
    if any(kind in _KINDS for kind, _moved in me.maybe):  # who cannot know what became of it
        says = ""
    return Plan("last", [*_MENU, step("4", "last.Last", says=says)])
