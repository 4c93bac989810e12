"""Home: the balance, and the few things people come for, most used first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from menus.screen import Hop, Menu, Option
from menus.screens import account, help, more, send, statement  # noqa: A004 - the screens' own names
from menus.text import Text, _


@dataclass(frozen=True)
class Home(Menu):
    """The bottom of every registered caller's stack. Its numbers never change."""

    def title(self, hop: Hop) -> Text:
        return _("Kabambe. Balance {balance}", balance=hop.caller.balance)

    def options(self, hop: Hop) -> Sequence[Option]:
        return [
            Option(_("Send money"), lambda _hop: send.Recipient()),
            Option(_("Statement"), statement.latest),
            Option(_("My account"), lambda _hop: account.Account()),
            Option(_("Help"), lambda _hop: help.Help()),
            Option(_("More services"), lambda _hop: more.More()),
        ]
