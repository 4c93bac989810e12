"""SCREENS: every screen by the name it is saved under. One that is not here cannot be saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.subscribers import Person
from menus.engine import name
from menus.screen import AnyScreen, Done
from menus.screens import (
    account,
    balances,
    exchange,
    help,  # noqa: A004 - the screens' own names
    home,
    more,
    pay,
    register,
    resume,
    reversal,
    send,
    statement,
    voucher,
)

SCREENS: Final[Mapping[str, type[AnyScreen]]] = {
    name(screen): screen
    for screen in (
        Done,
        home.Home,
        register.Welcome,
        register.Name,
        register.NewPin,
        register.RepeatPin,
        register.Terms,
        send.Recipient,
        send.Amount,
        send.Confirm,
        send.Outcome,
        statement.Statement,
        statement.Detail,
        account.Account,
        account.OldPin,
        account.NewPin,
        account.RepeatPin,
        account.ChooseLanguage,
        help.Help,
        help.Topic,
        help.Fees,
        more.More,
        pay.Till,
        pay.Amount,
        pay.Confirm,
        pay.Outcome,
        balances.Balances,
        exchange.Give,
        exchange.Get,
        exchange.Amount,
        exchange.Confirm,
        exchange.Outcome,
        send.Known,
        reversal.Why,
        reversal.Words,
        reversal.Confirm,
        voucher.Code,
        voucher.Outcome,
        resume.Offer,
    )
}


def first(caller: Person | None) -> AnyScreen:
    """Where a session begins: at home, or at the door for a number without an account."""
    return home.Home() if caller is not None else register.Welcome()
