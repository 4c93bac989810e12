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
    closing,
    deposit,
    exchange,
    forgotten,
    help,  # noqa: A004 - the screens' own names
    home,
    last,
    limits,
    more,
    mpesa,
    naming,
    pay,
    register,
    resume,
    reversal,
    send,
    settle,
    statement,
    till,
    voucher,
    withdraw,
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
        register.Declined,
        send.Recipient,
        send.Amount,
        send.Confirm,
        send.Outcome,
        statement.Statement,
        statement.Detail,
        account.Account,
        account.Pin,
        account.OldPin,
        account.NewPin,
        account.RepeatPin,
        account.ChooseLanguage,
        forgotten.Name,
        forgotten.Proof,
        forgotten.Code,
        forgotten.NewPin,
        forgotten.RepeatPin,
        naming.NewName,
        naming.ConfirmName,
        limits.Limits,
        closing.Close,
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
        mpesa.Mpesa,
        deposit.Amount,
        deposit.Confirm,
        deposit.Prompted,
        withdraw.Paused,
        withdraw.Amount,
        withdraw.Confirm,
        withdraw.Outcome,
        till.Till,
        till.Amount,
        till.Confirm,
        till.Prompted,
        last.Last,
        settle.Settle,
        settle.Daily,
        resume.Offer,
    )
}


def first(caller: Person | None) -> AnyScreen:
    """Where a session begins: at home, or at the door for a number without an account."""
    return home.Home() if caller is not None else register.Welcome()
