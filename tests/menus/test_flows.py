"""Which flows a session went into, told by its screens."""

from __future__ import annotations

import pytest

from menus import flows
from menus.screens import SCREENS


@pytest.mark.parametrize(
    ("screens", "taken"),
    [
        ("home.Home", {}),
        ("home.Home send.Recipient send.Amount", {"send": False}),
        ("send.Recipient send.Amount send.Confirm send.Outcome", {"send": True}),
        ("home.Home more.More pay.Till pay.Amount pay.Confirm pay.Outcome", {"pay": True}),
        (
            "home.Home statement.Statement home.Home send.Recipient",
            {"statement": True, "send": False},
        ),
        ("home.Home help.Help", {"help": False}),
        ("home.Home help.Help help.Fees", {"help": True}),
        ("home.Home account.Account account.OldPin", {"account": False}),
        ("account.RepeatPin screen.Done", {"account": True}),
        ("home.Home account.Account limits.Limits", {"limits": True}),
        ("home.Home account.Account screen.Done", {}),
        ("account.Account account.Pin forgotten.Name forgotten.Code", {"forgotten": False}),
        ("account.Account naming.NewName naming.ConfirmName screen.Done", {"naming": True}),
        (
            "statement.Statement statement.Detail reversal.Why",
            {"statement": True, "reversal": False},
        ),
        ("mpesa.Mpesa settle.Settle withdraw.Confirm withdraw.Outcome", {"withdraw": True}),
        ("mpesa.Mpesa settle.Settle settle.Daily screen.Done", {"settle": True}),
        ("resume.Offer send.Amount", {"send": False}),
        ("register.Welcome register.Terms screen.Done", {"register": True}),
        ("register.Welcome register.Terms register.Declined", {"register": False}),
        ("screen.Done", {}),
        ("send.Recipient send.Outcome home.Home send.Recipient", {"send": True}),
        ("gone.Away send.Renamed", {"send": False}),
        ("", {}),
    ],
)
def test_flows(screens, taken):
    assert flows.taken(screens.split()) == taken


@pytest.mark.parametrize(
    ("screens", "hops"),
    [
        ("home.Home", {}),
        ("home.Home send.Recipient send.Amount send.Confirm send.Outcome", {"send": 4}),
        ("home.Home send.Recipient send.Recipient send.Amount", {"send": 3}),
        ("account.Account naming.NewName naming.ConfirmName screen.Done", {"naming": 3}),
        ("statement.Statement statement.Detail reversal.Why", {"statement": 2, "reversal": 1}),
        ("screen.Done home.Home more.More pay.Till home.Home pay.Till", {"pay": 2}),
        ("account.Account screen.Done", {}),
    ],
)
def test_hops_of_each_flow(screens, hops):
    assert flows.hops(screens.split()) == hops


def test_whoever_declines_the_terms_has_not_registered(house):
    phone = house.phone("+254720000009").dial().types("1", "Njeri", "5823", "5823", "2")
    assert phone.screen == "No account was opened. Dial *384# if you change your mind."
    assert phone.label == "register.Declined"


BY_A_LAST_WORD = {"account", "closing", "forgotten", "naming", "register", "reversal", "settle"}


def test_every_flow_that_asks_for_something_can_be_brought_to_its_end():
    for flow, ends in flows.ENDS.items():
        assert ends or flow in BY_A_LAST_WORD, flow
        assert ends <= set(SCREENS)
