"""
What people come for: what they type, and what must be shown then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from bench.town import changes, mpesa
from bench.town.people import Neighbour
from bench.town.steps import Making, Plan, Step, amount, shop, someone, step
from core import msisdn
from core.orders import Kind


def send(me: Neighbour, all_: Sequence[Neighbour], chance: Random) -> Plan:
    """Send money to somebody, their number typed as people type numbers."""
    to, shillings = someone(me, all_, chance), chance.randint(1, 400)
    national = "0" + to.msisdn[4:]
    number = chance.choice(
        [national, to.msisdn, to.msisdn[1:], f"{national[:4]} {national[4:7]} {national[7:]}"]
    )
    typed = chance.choice([str(shillings), f"KES {shillings}", f"{shillings}.00", f"{shillings}/="])
    whom = re.escape(msisdn.masked(to.msisdn))
    return Plan(
        "send",
        [
            step("1", "send.Recipient", wrong="7"),
            step(number, "send.Amount", says=whom, wrong="12"),
            step(typed, "send.Confirm", says=f"{amount(shillings)}.*{whom}", wrong="much"),
            step(me.pin, "send.Outcome", says=amount(shillings), wrong="12", confirms=True),
        ],
        (Kind.TRANSFER, shillings * 100),
        to=to.msisdn,
    )


def pay(me: Neighbour, all_: Sequence[Neighbour], chance: Random) -> Plan:
    """Pay a shop."""
    paid, shillings = shop(me, all_, chance), chance.randint(10, 900)
    return Plan(
        "pay",
        [
            step("5", "more.More", wrong="8"),
            step("1", "pay.Till", wrong="x"),
            step(paid.till, "pay.Amount", says=paid.till, wrong="1234567"),
            step(str(shillings), "pay.Confirm", says=amount(shillings), wrong="0.001"),
            step(me.pin, "pay.Outcome", says=amount(shillings), confirms=True),
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
            step(code, "voucher.Outcome", says=amount(100), confirms=True),
        ],
        (Kind.REDEMPTION, 100_00),
        is_once=True,
    )


def exchange(me: Neighbour, _all: Sequence[Neighbour], chance: Random) -> Plan:
    """Change shillings into dollars, or whatever the menu has first."""
    shillings = chance.randint(300, 900)
    return Plan(
        "exchange",
        [
            step("5", "more.More"),
            # Who holds one currency alone is not asked which.
            Step("3", frozenset({"exchange.Get"}), between={"exchange.Give": "1"}),
            step("1", "exchange.Amount", wrong="9"),
            step(str(shillings), "exchange.Confirm", says=amount(shillings), wrong="much"),
            step(me.pin, "exchange.Outcome", says=amount(shillings), confirms=True),
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


def help_(_me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Read help."""
    return Plan(
        "help",
        [step("4", "help.Help", wrong="abc"), step("1", "help.Topic"), step("0", "help.Help")],
    )


def ask_back(me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Ask for the last movement back, if it was one's own."""
    return Plan(
        "reversal",
        [
            step("2", "statement.Statement"),
            step("1", "statement.Detail"),
            Step("1", frozenset({"reversal.Why"}), may_end=frozenset({"statement.Detail"})),
            step("1", "reversal.Confirm", wrong="9"),
            step(me.pin, "screen.Done", confirms=True),
        ],
        is_once=True,
    )


# How often each is come for, among a hundred calls: most send and look, a tenth use M-Pesa.
SHARES: Final[Mapping[Making, int]] = {
    send: 36,
    pay: 14,
    statement: 12,
    exchange: 5,
    redeem: 5,
    balances: 5,
    limits: 3,
    changes.change_pin: 2,
    changes.keep_pin: 2,
    changes.language: 2,
    changes.rename: 1,
    help_: 3,
    mpesa.deposit: 4,
    mpesa.withdraw: 3,
    mpesa.till: 2,
    mpesa.last: 1,
}
# What those come for who have a shop.
SHOP_SHARES: Final[Mapping[Making, int]] = {
    mpesa.settle: 25,
    statement: 35,
    balances: 20,
    send: 20,
}
# What the first people of the town come for, so that in a small one too everything is come for:
# the first has a shop, the sixth a voucher, the third's phone pays and the eighth's cancels.
FIRST: Final[Sequence[Making]] = (
    *(mpesa.settle, send, mpesa.deposit, mpesa.withdraw, mpesa.till, redeem, exchange),
    *(mpesa.deposit, pay, mpesa.last, changes.change_pin, changes.language, changes.rename),
    *(statement, balances, limits, changes.keep_pin, help_),
)


def drawn(me: Neighbour, all_: Sequence[Neighbour], chance: Random) -> Plan:
    """What somebody comes for."""
    if me.is_new:
        return changes.register(me, all_, chance)
    shares = SHOP_SHARES if me.till else SHARES
    making = chance.choices(list(shares), list(shares.values()))[0]
    if me.number < len(FIRST):
        making = FIRST[me.number]
    if making is redeem and not me.vouchers:
        making = send
    return making(me, all_, chance)
